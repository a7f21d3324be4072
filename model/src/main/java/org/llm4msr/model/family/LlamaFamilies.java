package org.llm4msr.model.family;

import org.llm4msr.model.family.ConfigReader.Heads;
import org.llm4msr.model.family.ModelConfig.Attention;
import org.llm4msr.model.family.ModelConfig.Embedding;
import org.llm4msr.model.family.ModelConfig.Mlp;
import org.llm4msr.model.family.ModelConfig.Norms;

/** Decoders with RMS norms before the branches, rope and a gated MLP. */
final class LlamaFamilies {
  private LlamaFamilies() {}

  static ModelConfig llama(ConfigReader reader) {
    ConfigFields fields = reader.fields;
    boolean bias = fields.flag("attention_bias", false);
    Shape shape = new Shape(reader, 0, 0, 2_048);
    refuseWindow(fields);
    shape.bias = bias;
    shape.outputBias = bias;
    shape.mlpBias = fields.flag("mlp_bias", false);
    return shape.build(Declarations.LLAMA, new boolean[shape.layers], 0);
  }

  static ModelConfig mistral(ConfigReader reader) {
    ConfigFields fields = reader.fields;
    fields.require("attention_bias", false, "mistral has no biases");
    fields.require("mlp_bias", false, "mistral has no biases");
    Shape shape = new Shape(reader, 8, 0, 131_072);
    int window = fields.flag("use_sliding_window", true) ? reader.slidingWindow(4_096) : 0;
    boolean[] sliding = reader.sliding(shape.layers, layer -> window > 0);
    return shape.build(Declarations.LLAMA, sliding, window);
  }

  static ModelConfig qwen2(ConfigReader reader) {
    reader.fields.require("attention_bias", true, "qwen2 always has q, k and v biases");
    reader.fields.require("mlp_bias", false, "qwen2 has no biases in its MLP");
    Shape shape = new Shape(reader, 0, 0, 32_768);
    shape.bias = true;
    return qwen(reader, shape, Declarations.LLAMA);
  }

  static ModelConfig qwen3(ConfigReader reader) {
    reader.fields.require("mlp_bias", false, "qwen3 has no biases in its MLP");
    Shape shape = new Shape(reader, 0, 128, 32_768);
    shape.bias = reader.fields.flag("attention_bias", false);
    shape.outputBias = shape.bias;
    shape.headNorms = true;
    return qwen(reader, shape, Declarations.QWEN3);
  }

  /** A window may be declared and switched off. */
  private static ModelConfig qwen(ConfigReader reader, Shape shape, TensorNames tensors) {
    ConfigFields fields = reader.fields;
    int window = fields.flag("use_sliding_window", false) ? reader.slidingWindow(4_096) : 0;
    int fullLayers =
        fields.has("max_window_layers") ? fields.wholeNumber("max_window_layers", 28) : 28;
    boolean[] sliding = reader.sliding(shape.layers, layer -> window > 0 && layer >= fullLayers);
    return shape.build(tensors, sliding, window);
  }

  static ModelConfig phi3(ConfigReader reader) {
    reader.fields.require("attention_bias", false, "phi3 has no biases");
    reader.fields.require("mlp_bias", false, "phi3 has no biases");
    Shape shape = new Shape(reader, 0, 0, 4_096);
    shape.epsilon = 1e-5;
    shape.partialRope = true;
    int window = reader.slidingWindow(0);
    boolean[] sliding = reader.sliding(shape.layers, layer -> window > 0);
    return shape.build(Declarations.PHI3, sliding, window);
  }

  /** Llama itself has none: a file that asks for one is another model under llama's name. */
  private static void refuseWindow(ConfigFields fields) {
    for (String type : fields.strings("layer_types")) {
      if (!type.equals("full_attention")) {
        throw fields.error("layer_types", "holds \"" + type + "\": llama has full_attention only");
      }
    }
    if (fields.flag("use_sliding_window", true) && fields.has("sliding_window")) {
      throw fields.error("sliding_window", "is set, but llama has no sliding window");
    }
  }

  /** What these families share; each sets what differs. */
  private static final class Shape {
    private final ConfigReader reader;
    final int layers;
    private final int hidden;
    private final Heads heads;
    private final int maxPositions;
    double epsilon = 1e-6;
    boolean bias;
    boolean outputBias;
    boolean mlpBias;
    boolean headNorms;
    boolean partialRope;

    Shape(ConfigReader reader, int keyValueHeads, int headDim, int maxPositions) {
      this.reader = reader;
      this.layers = reader.layers();
      this.hidden = reader.hiddenSize();
      this.heads = reader.heads(hidden, keyValueHeads, headDim);
      this.maxPositions = reader.maxPositions(maxPositions);
    }

    ModelConfig build(TensorNames tensors, boolean[] sliding, int window) {
      RopeConfig rope =
          new RopeReader(reader.fields, heads.dim(), maxPositions, partialRope, false)
              .read(10_000, 1);
      return reader.config(
          reader.vocabulary("vocab_size"),
          hidden,
          maxPositions,
          Embedding.PLAIN,
          new Attention(
              heads.count(),
              heads.keyValue(),
              heads.dim(),
              bias,
              outputBias,
              headNorms,
              ConfigReader.layers(reader.causalMasks(sliding, window, 0), heads.scale(), rope)),
          new Mlp(
              reader.intermediateSize(), reader.activation("hidden_act", "silu"), true, mlpBias),
          Norms.rms(reader.fields.positive("rms_norm_eps", epsilon)),
          reader.head(false, 0),
          tensors);
    }
  }
}
