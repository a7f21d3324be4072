package org.llm4msr.model.family;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import org.llm4msr.model.family.ModelConfig.Attention;
import org.llm4msr.model.family.ModelConfig.Embedding;
import org.llm4msr.model.family.ModelConfig.Head;
import org.llm4msr.model.family.ModelConfig.Layer;
import org.llm4msr.model.family.ModelConfig.Mlp;
import org.llm4msr.model.family.ModelConfig.Norms;
import org.llm4msr.runtime.op.AttentionOp.Mask;
import org.llm4msr.runtime.op.UnaryOp;

/** What the readers of all families have in common: limits, names and contradictions. */
final class ConfigReader {
  static final int MAX_WIDTH = 1 << 20;
  static final int MAX_LAYERS = 10_000;
  static final int MAX_VOCABULARY = 1 << 24;
  static final int MAX_POSITIONS = 1 << 27;

  private static final Map<String, UnaryOp.Kind> ACTIVATIONS =
      Map.ofEntries(
          Map.entry("silu", UnaryOp.Kind.SILU),
          Map.entry("swish", UnaryOp.Kind.SILU),
          Map.entry("gelu", UnaryOp.Kind.GELU),
          Map.entry("gelu_python", UnaryOp.Kind.GELU),
          Map.entry("gelu_new", UnaryOp.Kind.GELU_TANH),
          Map.entry("gelu_pytorch_tanh", UnaryOp.Kind.GELU_TANH),
          Map.entry("gelu_python_tanh", UnaryOp.Kind.GELU_TANH),
          Map.entry("gelu_fast", UnaryOp.Kind.GELU_TANH),
          Map.entry("gelu_accurate", UnaryOp.Kind.GELU_TANH),
          Map.entry("relu", UnaryOp.Kind.RELU),
          Map.entry("sigmoid", UnaryOp.Kind.SIGMOID),
          Map.entry("tanh", UnaryOp.Kind.TANH));

  final Path file;
  private final String family;
  final ConfigFields fields;

  ConfigReader(Path file, String family, ConfigFields fields) {
    this.file = file;
    this.family = family;
    this.fields = fields;
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
    if (fields.has("attention_chunk_size")) {
      throw fields.error("attention_chunk_size", "is set: chunked attention is not supported");
    }
    fields.require("is_encoder_decoder", false, "encoder-decoder models are not supported");
    fields.require("add_cross_attention", false, "cross-attention is not supported");
  }

  /** Heads and their widths. */
  record Heads(int count, int keyValue, int dim) {
    double scale() {
      return 1 / Math.sqrt(dim);
    }
  }

  int hiddenSize() {
    return fields.count("hidden_size", MAX_WIDTH);
  }

  /** Grouped heads under the usual keys, each missing one as for the family's original. */
  Heads heads(int hidden, int keyValueDefault, int dimDefault) {
    int heads = fields.count("num_attention_heads", MAX_WIDTH);
    int keyValue =
        fields.count(
            "num_key_value_heads",
            MAX_WIDTH,
            keyValueDefault == 0 || fields.isNull("num_key_value_heads") ? heads : keyValueDefault);
    int dim = dimDefault;
    if (dim == 0 || fields.isNull("head_dim")) {
      dim = fields.has("head_dim") ? 0 : dimPerHead("num_attention_heads", hidden, heads);
    }
    return checked(
        "num_attention_heads",
        heads,
        "num_key_value_heads",
        keyValue,
        "head_dim",
        fields.count("head_dim", MAX_WIDTH, dim));
  }

  /** As many key heads as heads, which share the width. */
  Heads plainHeads(String key, int hidden) {
    int heads = fields.count(key, MAX_WIDTH);
    return checked(key, heads, key, heads, key, dimPerHead(key, hidden, heads));
  }

  private int dimPerHead(String key, int hidden, int heads) {
    if (hidden % heads != 0) {
      throw fields.error(key, "is " + heads + ", expected a divisor of the width, " + hidden);
    }
    return hidden / heads;
  }

  Heads checked(
      String headsKey, int heads, String keyValueKey, int keyValue, String dimKey, int dim) {
    if (heads % keyValue != 0) {
      throw fields.error(
          keyValueKey, "is " + keyValue + ", expected a divisor of " + headsKey + ", " + heads);
    }
    if ((long) heads * dim > MAX_WIDTH) {
      throw fields.error(dimKey, "times " + headsKey + " exceeds " + MAX_WIDTH);
    }
    return new Heads(heads, keyValue, dim);
  }

  int layers() {
    return fields.count("num_hidden_layers", MAX_LAYERS);
  }

  int maxPositions(int otherwise) {
    return fields.count("max_position_embeddings", MAX_POSITIONS, otherwise);
  }

  int intermediateSize() {
    return fields.count("intermediate_size", MAX_WIDTH);
  }

  UnaryOp.Kind activation(String key, String otherwise) {
    String name = fields.string(key, otherwise);
    UnaryOp.Kind kind = ACTIVATIONS.get(name);
    if (kind == null) {
      throw fields.error(
          key,
          "is \""
              + name
              + "\", supported are "
              + String.join(", ", ACTIVATIONS.keySet().stream().sorted().toList()));
    }
    return kind;
  }

  /**
   * Which layers slide, from {@code layer_types} or, in the older style, by number.
   *
   * @return [layers], true for sliding ones
   */
  boolean[] sliding(int layers, IntPredicate older) {
    boolean[] sliding = new boolean[layers];
    if (!fields.has("layer_types")) {
      for (int layer = 0; layer < layers; layer++) {
        sliding[layer] = older.test(layer);
      }
      return sliding;
    }
    List<String> types = fields.strings("layer_types");
    if (types.size() != layers) {
      throw fields.error(
          "layer_types", "has " + types.size() + " entries for " + layers + " layers");
    }
    for (int layer = 0; layer < layers; layer++) {
      sliding[layer] =
          switch (types.get(layer)) {
            case "full_attention" -> false;
            case "sliding_attention" -> true;
            default ->
                throw fields.error(
                    "layer_types",
                    "holds \""
                        + types.get(layer)
                        + "\", supported are full_attention and sliding_attention");
          };
    }
    return sliding;
  }

  /** {@code sliding_window} in tokens, itself included; 0 where the key is {@code null}. */
  int slidingWindow(int otherwise) {
    return fields.isNull("sliding_window")
        ? 0
        : fields.count("sliding_window", Integer.MAX_VALUE, otherwise);
  }

  /** Causal masks, within a window in the layers that slide. */
  List<Mask> causalMasks(boolean[] sliding, int window, double softCap) {
    List<Mask> masks = new ArrayList<>();
    for (boolean slides : sliding) {
      if (slides && window == 0) {
        throw fields.error("sliding_window", "is missing, but layer_types asks for one");
      }
      masks.add(new Mask(slides ? window - 1 : Mask.ALL, 0, softCap));
    }
    return masks;
  }

  /** Layers that differ in nothing but their masks. */
  static List<Layer> layers(List<Mask> masks, double scale, RopeConfig rope) {
    return masks.stream().map(mask -> new Layer(mask, scale, rope)).toList();
  }

  static List<Layer> sameLayers(int count, Mask mask, double scale, RopeConfig rope) {
    return Collections.nCopies(count, new Layer(mask, scale, rope));
  }

  /** A head that predicts tokens. */
  Head head(boolean tied, double softCap) {
    return new Head(true, fields.flag("tie_word_embeddings", tied), softCap);
  }

  ModelConfig config(
      int vocabulary,
      int hidden,
      int maxPositions,
      Embedding embedding,
      Attention attention,
      Mlp mlp,
      Norms norms,
      Head head,
      TensorNames tensors) {
    return new ModelConfig(
        file,
        family,
        vocabulary,
        hidden,
        attention.layers().size(),
        maxPositions,
        embedding,
        attention,
        mlp,
        norms,
        head,
        fields.wholeNumbers("eos_token_id"),
        tensors);
  }

  int vocabulary(String key) {
    return fields.count(key, MAX_VOCABULARY);
  }
}
