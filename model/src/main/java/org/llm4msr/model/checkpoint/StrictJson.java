package org.llm4msr.model.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** JSON as the standard has it: no duplicate keys, no trailing content, no NaN, valid UTF-8. */
public final class StrictJson {
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
          .build();
  private static final JsonMapper MAPPER =
      JsonMapper.builder(FACTORY).enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();

  private StrictJson() {}

  /** A parser that refuses what is not strictly JSON. */
  public static JsonParser parser(String text) {
    return FACTORY.createParser(ObjectReadContext.empty(), text);
  }

  /**
   * Reads a file that holds one JSON object.
   *
   * @param maxBytes a larger file is refused unread
   * @throws UserError if it is missing, too large or no such object
   */
  public static ObjectNode readObject(Path file, long maxBytes) {
    FileErrors.requireFile(file);
    byte[] bytes;
    try {
      if (Files.size(file) > maxBytes) {
        throw new UserError(
            file + ": " + Files.size(file) + " bytes, expected at most " + maxBytes);
      }
      bytes = Files.readAllBytes(file);
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    }
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      return object(text, file.toString());
    } catch (CharacterCodingException e) {
      throw new UserError(file + ": not valid UTF-8", e);
    }
  }

  /**
   * Parses one JSON object.
   *
   * @param where begins the message of an error
   * @throws UserError if the text is no such object
   */
  public static ObjectNode object(String text, String where) {
    JsonNode node;
    try {
      node = MAPPER.readTree(text);
    } catch (JacksonException e) {
      throw new UserError(where + ": not valid JSON: " + reason(e), e);
    }
    if (node instanceof ObjectNode object) {
      return object;
    }
    throw new UserError(where + ": expected a JSON object");
  }

  /**
   * The value that begins at a parser's current token, as a tree; the parser ends on its last
   * token.
   *
   * @param mostNodes a larger one is refused
   */
  public static JsonNode tree(JsonParser parser, int mostNodes) {
    return new TreeReader(parser, mostNodes).read();
  }

  private static final class TreeReader {
    private final JsonParser parser;
    private int left;

    TreeReader(JsonParser parser, int mostNodes) {
      this.parser = parser;
      this.left = mostNodes;
    }

    JsonNode read() {
      if (left-- == 0) {
        throw new UserError("a JSON value has more parts than is plausible");
      }
      JsonNodeFactory nodes = JsonNodeFactory.instance;
      switch (parser.currentToken()) {
        case START_OBJECT -> {
          ObjectNode object = nodes.objectNode();
          while (parser.nextToken() != JsonToken.END_OBJECT) {
            String key = parser.currentName();
            parser.nextToken();
            object.set(key, read());
          }
          return object;
        }
        case START_ARRAY -> {
          ArrayNode array = nodes.arrayNode();
          while (parser.nextToken() != JsonToken.END_ARRAY) {
            array.add(read());
          }
          return array;
        }
        case VALUE_STRING -> {
          return nodes.stringNode(parser.getString());
        }
        case VALUE_TRUE, VALUE_FALSE -> {
          return nodes.booleanNode(parser.getBooleanValue());
        }
        case VALUE_NULL -> {
          return nodes.nullNode();
        }
        default -> {
          return nodes.numberNode(parser.getDoubleValue());
        }
      }
    }
  }

  /** What the parser says, on one line, without echoing the source and without its own settings. */
  public static String reason(JacksonException e) {
    String brief =
        String.valueOf(e.getOriginalMessage())
            .replaceAll("\\s+", " ")
            .replaceAll(": enable `[^`]*` to allow|, from `[^`]*`", "")
            .replace("\uFEFF", "U+FEFF");
    return e.getLocation() == null
        ? brief
        : brief
            + " (line "
            + e.getLocation().getLineNr()
            + ", column "
            + e.getLocation().getColumnNr()
            + ")";
  }
}
