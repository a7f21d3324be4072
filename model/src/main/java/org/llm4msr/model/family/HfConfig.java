package org.llm4msr.model.family;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads a Hugging Face {@code config.json} of any family, in today's style ({@code
 * rope_parameters}, {@code layer_types}, {@code dtype}) or the older one ({@code rope_theta},
 * {@code rope_scaling}, {@code sliding_window_pattern}). Defaults are those of the transformers
 * library. Whatever the engine does not implement is refused by name: a setting that is silently
 * ignored gives silently wrong vectors.
 */
public final class HfConfig {
  private static final long MAX_BYTES = 10_000_000;

  /** Families by {@code model_type}. */
  private static final Map<String, Function<ConfigReader, ModelConfig>> FAMILIES =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("llama", LlamaFamilies::llama),
              Map.entry("mistral", LlamaFamilies::mistral),
              Map.entry("qwen2", LlamaFamilies::qwen2),
              Map.entry("qwen3", LlamaFamilies::qwen3),
              Map.entry("phi3", LlamaFamilies::phi3),
              Map.entry("gemma2", GemmaFamilies::gemma2),
              Map.entry("gemma3_text", GemmaFamilies::gemma3),
              Map.entry("glm", GlmFamilies::glm),
              Map.entry("glm4", GlmFamilies::glm4),
              Map.entry("chatglm", GlmFamilies::chatglm),
              Map.entry("gpt2", GptFamilies::gpt2),
              Map.entry("gpt_neox", GptFamilies::gptNeoX),
              Map.entry("bert", BertFamilies::bert),
              Map.entry("modernbert", BertFamilies::modernBert)));

  private HfConfig() {}

  /**
   * Reads {@code config.json} of a model directory.
   *
   * @throws UserError if it is missing or broken, contradicts itself, or asks for something that
   *     the engine does not implement
   */
  public static ModelConfig read(Path directory) {
    Path file = directory.resolve("config.json");
    ModelConfig config = parse(file, StrictJson.readObject(file, MAX_BYTES));
    Path generation = directory.resolve("generation_config.json");
    if (!Files.exists(generation)) {
      return config;
    }
    // What ends a text is said there with more care.
    ConfigFields fields =
        new ConfigFields(generation.toString(), StrictJson.readObject(generation, MAX_BYTES));
    List<Integer> stopTokens = fields.wholeNumbers("eos_token_id");
    return stopTokens.isEmpty() ? config : config.withStopTokens(stopTokens);
  }

  /** A config that was read already; see {@link #read}. */
  public static ModelConfig parse(Path file, ObjectNode json) {
    ConfigFields fields = new ConfigFields(file.toString(), json);
    String family = fields.string("model_type", null);
    if (family == null) {
      throw fields.error("model_type", "is missing, expected one of " + supported());
    }
    if (family.equals("gemma3")) {
      // A model of pictures and text: its text half is a model of its own.
      ConfigFields text = fields.object("text_config");
      if (text == null) {
        throw fields.error("text_config", "is missing");
      }
      fields = text;
      family = text.string("model_type", "gemma3_text");
    }
    Function<ConfigReader, ModelConfig> read = FAMILIES.get(family);
    if (read == null) {
      throw fields.error(
          "model_type",
          "is \""
              + family
              + "\", supported are "
              + supported()
              + (family.toLowerCase(Locale.ROOT).contains("moe") || family.startsWith("mixtral")
                  ? " (no mixture of experts)"
                  : ""));
    }
    return read.apply(new ConfigReader(file, family, fields));
  }

  private static String supported() {
    return String.join(", ", FAMILIES.keySet());
  }
}
