package org.llm4msr.model.tokenizer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What {@code tokenizer_config.json} says, all of it optional.
 *
 * @param tokenizerClass such as {@code LlamaTokenizer}, or null
 * @param addBos whether texts begin with the BOS token, or null where it does not say
 * @param addEos whether texts end with the EOS token, or null
 * @param bosToken or null
 * @param eosToken or null
 * @param chatTemplate in Jinja, from this file or {@code chat_template.jinja}, or null
 */
public record TokenizerConfig(
    Path file,
    String tokenizerClass,
    Boolean addBos,
    Boolean addEos,
    String bosToken,
    String eosToken,
    String chatTemplate) {
  private static final long MAX_BYTES = 50_000_000;

  /** Classes that put the flags above what {@code tokenizer.json} says; others ignore them. */
  private static final Set<String> FOLLOW_FLAGS =
      Set.of(
          "LlamaTokenizer",
          "LlamaTokenizerFast",
          "CodeLlamaTokenizer",
          "CodeLlamaTokenizerFast",
          "GemmaTokenizer",
          "GemmaTokenizerFast");

  /**
   * Reads the files of a model directory.
   *
   * @throws UserError if one is broken
   */
  public static TokenizerConfig read(Path directory) {
    Path file = directory.resolve("tokenizer_config.json");
    ObjectNode json =
        Files.exists(file)
            ? StrictJson.readObject(file, MAX_BYTES)
            : JsonNodeFactory.instance.objectNode();
    return new TokenizerConfig(
        file,
        json.path("tokenizer_class").asString(null),
        flag(file, json, "add_bos_token"),
        flag(file, json, "add_eos_token"),
        token(file, json, "bos_token"),
        token(file, json, "eos_token"),
        chatTemplate(directory, file, json));
  }

  boolean flagsCount() {
    return tokenizerClass != null && FOLLOW_FLAGS.contains(tokenizerClass);
  }

  private static Boolean flag(Path file, ObjectNode json, String key) {
    JsonNode value = json.get(key);
    if (value == null || value.isNull()) {
      return null;
    }
    if (!value.isBoolean()) {
      throw new UserError(file + ": " + key + " is not true or false");
    }
    return value.booleanValue();
  }

  /** A string, or an object with the string under {@code content}. */
  private static String token(Path file, ObjectNode json, String key) {
    JsonNode value = json.get(key);
    if (value == null || value.isNull()) {
      return null;
    }
    JsonNode content = value.isObject() ? value.path("content") : value;
    if (!content.isString()) {
      throw new UserError(file + ": " + key + " is no token");
    }
    return content.stringValue();
  }

  private static String chatTemplate(Path directory, Path file, ObjectNode json) {
    Path separate = directory.resolve("chat_template.jinja");
    if (Files.exists(separate)) {
      try {
        FileErrors.requireFile(separate);
        if (Files.size(separate) > MAX_BYTES) {
          throw new UserError(separate + ": larger than " + MAX_BYTES + " bytes");
        }
        return Files.readString(separate);
      } catch (IOException e) {
        throw FileErrors.reading(separate, e);
      }
    }
    JsonNode value = json.get("chat_template");
    if (value == null || value.isNull()) {
      return null;
    }
    if (value.isString()) {
      return value.stringValue();
    }
    // Several under names; the one called "default" is for plain chats.
    for (JsonNode named : value) {
      if (named.path("name").asString("").equals("default") && named.path("template").isString()) {
        return named.path("template").stringValue();
      }
    }
    throw new UserError(file + ": chat_template is neither a text nor holds one named default");
  }
}
