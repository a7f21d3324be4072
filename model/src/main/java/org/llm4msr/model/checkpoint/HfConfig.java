package org.llm4msr.model.checkpoint;

import java.nio.file.Path;
import java.util.Set;
import org.llm4msr.runtime.UserError;

/**
 * What the engine needs from a Hugging Face {@code config.json} of a decoder-only family, in
 * today's style ({@code rope_parameters}, {@code layer_types}) or the older one ({@code
 * rope_theta}, {@code rope_scaling}). Defaults are those of the transformers library. Whatever the
 * engine does not implement is refused by name: a setting that is silently ignored gives silently
 * wrong vectors.
 *
 * @param modelType {@code llama} or {@code qwen2}
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width of the MLP
 * @param headDim width of one attention head, even; may differ from hiddenSize / attentionHeads
 * @param keyValueHeads a divisor of attentionHeads
 * @param maxPositions longest sequence
 * @param attentionBias whether the q, k and v projections have a bias
 * @param outputBias whether the attention's output projection has one
 * @param mlpBias whether the MLP's projections have one
 * @param tiedEmbeddings whether the output head shares the embedding table
 */
public record HfConfig(
    Path file,
    String modelType,
    int vocabularySize,
    int hiddenSize,
    int intermediateSize,
    int layers,
    int attentionHeads,
    int keyValueHeads,
    int headDim,
    int maxPositions,
    double rmsNormEps,
    RopeConfig rope,
    boolean attentionBias,
    boolean outputBias,
    boolean mlpBias,
    boolean tiedEmbeddings) {

  private static final Set<String> FAMILIES = Set.of("llama", "qwen2");
  private static final long MAX_BYTES = 10_000_000;
  private static final int MAX_WIDTH = 1 << 20;
  private static final int MAX_LAYERS = 10_000;
  private static final int MAX_VOCABULARY = 1 << 24;
  private static final int MAX_POSITIONS = 1 << 27;

  /**
   * Reads {@code config.json} of a model directory.
   *
   * @throws UserError if it is missing or broken, contradicts itself, or asks for something that
   *     the engine does not implement
   */
  public static HfConfig read(Path directory) {
    Path file = directory.resolve("config.json");
    return parse(new ConfigFields(file.toString(), StrictJson.readObject(file, MAX_BYTES)), file);
  }

  private static HfConfig parse(ConfigFields fields, Path file) {
    String family = fields.string("model_type", null);
    if (family == null) {
      throw fields.error("model_type", "is missing, expected one of " + FAMILIES);
    }
    if (!FAMILIES.contains(family)) {
      throw fields.error(
          "model_type", "is \"" + family + "\", supported are llama and qwen2 (without variants)");
    }
    boolean qwen2 = family.equals("qwen2");
    refuseUnsupported(fields);

    int hidden = fields.count("hidden_size", MAX_WIDTH);
    int layers = fields.count("num_hidden_layers", MAX_LAYERS);
    int heads = fields.count("num_attention_heads", MAX_WIDTH);
    int keyValueHeads = fields.count("num_key_value_heads", MAX_WIDTH, heads);
    if (heads % keyValueHeads != 0) {
      throw fields.error(
          "num_key_value_heads",
          "is " + keyValueHeads + ", expected a divisor of num_attention_heads, " + heads);
    }
    if (!fields.has("head_dim") && hidden % heads != 0) {
      throw fields.error(
          "num_attention_heads", "is " + heads + ", expected a divisor of hidden_size, " + hidden);
    }
    int headDim = fields.count("head_dim", MAX_WIDTH, hidden / heads);
    if (headDim % 2 != 0 || headDim == 0) {
      throw fields.error(
          "head_dim", "is " + headDim + ", expected an even number (rope turns pairs)");
    }
    if ((long) heads * headDim > MAX_WIDTH) {
      throw fields.error("head_dim", "times num_attention_heads exceeds " + MAX_WIDTH);
    }
    int maxPositions =
        fields.count("max_position_embeddings", MAX_POSITIONS, qwen2 ? 32_768 : 2_048);
    refuseSlidingWindow(fields, layers, qwen2);
    boolean attentionBias = fields.flag("attention_bias", qwen2);
    if (qwen2 && !attentionBias) {
      throw fields.error("attention_bias", "is false, but qwen2 always has q, k and v biases");
    }
    return new HfConfig(
        file,
        family,
        fields.count("vocab_size", MAX_VOCABULARY),
        hidden,
        fields.count("intermediate_size", MAX_WIDTH),
        layers,
        heads,
        keyValueHeads,
        headDim,
        maxPositions,
        fields.positive("rms_norm_eps", 1e-6),
        readRope(fields, maxPositions),
        attentionBias,
        attentionBias && !qwen2,
        fields.flag("mlp_bias", false),
        fields.flag("tie_word_embeddings", false));
  }

  private static void refuseUnsupported(ConfigFields fields) {
    String activation = fields.string("hidden_act", "silu");
    if (!activation.equals("silu") && !activation.equals("swish")) {
      throw fields.error("hidden_act", "is \"" + activation + "\", supported is silu");
    }
    for (String key :
        new String[] {
          "num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size"
        }) {
      if (fields.wholeNumber(key, 0) > 0) {
        throw fields.error(key, "asks for a mixture of experts, which is not supported");
      }
    }
    if (fields.has("quantization_config")) {
      throw fields.error(
          "quantization_config", "is set, supported are unquantised F32, F16 and BF16 weights");
    }
    if (fields.positive("partial_rotary_factor", 1) != 1) {
      throw fields.error("partial_rotary_factor", "is not 1: partial rope is not supported");
    }
  }

  /** Sliding windows may be declared and switched off; only one in use is refused. */
  private static void refuseSlidingWindow(ConfigFields fields, int layers, boolean qwen2) {
    for (String kind : fields.strings("layer_types")) {
      if (!kind.equals("full_attention")) {
        throw fields.error("layer_types", "holds \"" + kind + "\", supported is full_attention");
      }
    }
    boolean inUse;
    if (qwen2) {
      inUse =
          fields.flag("use_sliding_window", false)
              && fields.has("sliding_window")
              && !fields.has("layer_types")
              && fields.wholeNumber("max_window_layers", 28) < layers;
    } else {
      inUse = fields.flag("use_sliding_window", true) && fields.has("sliding_window");
    }
    if (inUse) {
      throw fields.error("sliding_window", "is in use: sliding-window attention is not supported");
    }
  }

  private static RopeConfig readRope(ConfigFields fields, int maxPositions) {
    double theta = fields.positive("rope_theta", 10_000);
    ConfigFields rope = fields.object("rope_parameters");
    if (rope == null) {
      rope = fields.object("rope_scaling");
    }
    if (rope == null) {
      return new RopeConfig(theta, new RopeConfig.None());
    }
    theta = rope.positive("rope_theta", theta);
    if (rope.positive("partial_rotary_factor", 1) != 1) {
      throw rope.error("partial_rotary_factor", "is not 1: partial rope is not supported");
    }
    String type = rope.string("rope_type", rope.string("type", "default"));
    RopeConfig.Scaling scaling =
        switch (type) {
          case "default" -> {
            rope.allowOnly("rope_theta", "rope_type", "type", "partial_rotary_factor");
            yield new RopeConfig.None();
          }
          case "linear" -> new RopeConfig.Linear(rope.positive("factor"));
          case "llama3" -> readLlama3(rope, fields, maxPositions);
          default ->
              throw rope.error(
                  "rope_type", "is \"" + type + "\", supported are default, linear and llama3");
        };
    return new RopeConfig(theta, scaling);
  }

  private static RopeConfig.Llama3 readLlama3(
      ConfigFields rope, ConfigFields fields, int maxPositions) {
    double low = rope.positive("low_freq_factor");
    double high = rope.positive("high_freq_factor");
    if (high <= low) {
      throw rope.error(
          "high_freq_factor", "is " + high + ", expected more than low_freq_factor, " + low);
    }
    int original =
        rope.count(
            "original_max_position_embeddings",
            MAX_POSITIONS,
            fields.count("original_max_position_embeddings", MAX_POSITIONS, maxPositions));
    return new RopeConfig.Llama3(rope.positive("factor"), low, high, original);
  }
}
