package org.llm4msr.model.encoder;

import org.llm4msr.model.checkpoint.HfConfig;

/**
 * Where a family keeps its weights. Names are without {@code .weight} or {@code .bias} and without
 * the {@code model.} that full models put before them; {@code #} stands for the layer's number.
 */
record DecoderFamily(
    String embedding,
    String attentionNorm,
    String query,
    String key,
    String value,
    String attentionOutput,
    String mlpNorm,
    String gate,
    String up,
    String down,
    String finalNorm) {

  private static final DecoderFamily LLAMA =
      new DecoderFamily(
          "embed_tokens",
          "layers.#.input_layernorm",
          "layers.#.self_attn.q_proj",
          "layers.#.self_attn.k_proj",
          "layers.#.self_attn.v_proj",
          "layers.#.self_attn.o_proj",
          "layers.#.post_attention_layernorm",
          "layers.#.mlp.gate_proj",
          "layers.#.mlp.up_proj",
          "layers.#.mlp.down_proj",
          "norm");

  /** The declaration for a config, which has been checked to be of a known family. */
  static DecoderFamily of(HfConfig config) {
    return switch (config.modelType()) {
      // qwen2 differs from llama in its biases only, and those the config tells.
      case "llama", "qwen2" -> LLAMA;
      default -> throw new IllegalArgumentException("no declaration of " + config.modelType());
    };
  }

  static String inLayer(String name, int layer) {
    return name.replace("#", Integer.toString(layer));
  }
}
