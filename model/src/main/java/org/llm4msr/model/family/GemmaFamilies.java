package org.llm4msr.model.family;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.model.family.ConfigReader.Heads;
import org.llm4msr.model.family.ModelConfig.Attention;
import org.llm4msr.model.family.ModelConfig.Embedding;
import org.llm4msr.model.family.ModelConfig.Layer;
import org.llm4msr.model.family.ModelConfig.Mlp;
import org.llm4msr.model.family.ModelConfig.Norms;
import org.llm4msr.model.family.ModelConfig.Wiring;
import org.llm4msr.runtime.op.AttentionOp.Mask;

/** Gemma 2 and 3: norms around the branches with factors 1 + w, scaled embeddings, windows. */
final class GemmaFamilies {
  private static final int WINDOW = 4_096;

  private GemmaFamilies() {}

  static ModelConfig gemma2(ConfigReader reader) {
    ConfigFields fields = reader.fields;
    int layers = reader.layers();
    int hidden = reader.hiddenSize();
    Heads heads = reader.heads(hidden, 4, 256);
    int maxPositions = reader.maxPositions(8_192);
    RopeConfig rope =
        new RopeReader(fields, heads.dim(), maxPositions, false, false).read(10_000, 1);
    List<Mask> masks =
        reader.causalMasks(
            reader.sliding(layers, layer -> layer % 2 == 0),
            reader.slidingWindow(WINDOW),
            fields.positiveOrNone("attn_logit_softcapping", 50));
    return gemma(
        reader,
        hidden,
        heads,
        maxPositions,
        false,
        ConfigReader.layers(masks, scale(fields), rope),
        reader.vocabulary("vocab_size"),
        reader.intermediateSize(),
        fields.positiveOrNone("final_logit_softcapping", 30),
        Declarations.GEMMA2);
  }

  static ModelConfig gemma3(ConfigReader reader) {
    ConfigFields fields = reader.fields;
    if (fields.has("attn_logit_softcapping")) {
      throw fields.error("attn_logit_softcapping", "is set, but gemma3 has no cap there");
    }
    // The text half of a model of pictures and text says only what differs from these.
    int layers = fields.count("num_hidden_layers", ConfigReader.MAX_LAYERS, 26);
    int hidden = fields.count("hidden_size", ConfigReader.MAX_WIDTH, 2_304);
    Heads heads =
        reader.checked(
            "num_attention_heads",
            fields.count("num_attention_heads", ConfigReader.MAX_WIDTH, 8),
            "num_key_value_heads",
            fields.count("num_key_value_heads", ConfigReader.MAX_WIDTH, 4),
            "head_dim",
            fields.count("head_dim", ConfigReader.MAX_WIDTH, 256));
    int maxPositions = reader.maxPositions(131_072);
    // Some files have the key with an underscore.
    int pattern =
        fields.count(
            "sliding_window_pattern",
            ConfigReader.MAX_LAYERS,
            fields.count("_sliding_window_pattern", ConfigReader.MAX_LAYERS, 6));
    boolean[] sliding = reader.sliding(layers, layer -> (layer + 1) % pattern != 0);
    List<Mask> masks = reader.causalMasks(sliding, reader.slidingWindow(WINDOW), 0);
    RopeReader ropes = new RopeReader(fields, heads.dim(), maxPositions, false, false);
    RopeConfig full;
    RopeConfig local;
    if (fields.has("rope_parameters")) {
      full = ropes.read("full_attention", 1e6, null);
      local = ropes.read("sliding_attention", 1e4, null);
    } else {
      full = ropes.read(1e6, 1);
      local = ropes.read(null, fields.positive("rope_local_base_freq", 1e4), 1);
    }
    List<Layer> layersOf = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      layersOf.add(new Layer(masks.get(layer), scale(fields), sliding[layer] ? local : full));
    }
    return gemma(
        reader,
        hidden,
        heads,
        maxPositions,
        true,
        layersOf,
        fields.count("vocab_size", ConfigReader.MAX_VOCABULARY, 262_208),
        fields.count("intermediate_size", ConfigReader.MAX_WIDTH, 9_216),
        fields.positiveOrNone("final_logit_softcapping", 0),
        Declarations.GEMMA3);
  }

  private static double scale(ConfigFields fields) {
    return 1 / Math.sqrt(fields.positive("query_pre_attn_scalar", 256));
  }

  private static ModelConfig gemma(
      ConfigReader reader,
      int hidden,
      Heads heads,
      int maxPositions,
      boolean headNorms,
      List<Layer> layers,
      int vocabulary,
      int width,
      double finalCap,
      TensorNames tensors) {
    ConfigFields fields = reader.fields;
    fields.require(
        "use_bidirectional_attention",
        false,
        "gemma with bidirectional attention is not supported");
    boolean bias = fields.flag("attention_bias", false);
    return reader.config(
        vocabulary,
        hidden,
        maxPositions,
        new Embedding(Math.sqrt(hidden), false, 0, false),
        new Attention(heads.count(), heads.keyValue(), heads.dim(), bias, bias, headNorms, layers),
        new Mlp(width, reader.activation("hidden_activation", "gelu_pytorch_tanh"), true, false),
        new Norms(
            false, fields.positive("rms_norm_eps", 1e-6), false, true, Wiring.AROUND, true, true),
        reader.head(true, finalCap),
        tensors);
  }
}
