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

/** Decoders with layer norms and a plain MLP. */
final class GptFamilies {
  private GptFamilies() {}

  static ModelConfig gpt2(ConfigReader reader) {
    ConfigFields fields = reader.fields;
    int hidden = fields.count("n_embd", ConfigReader.MAX_WIDTH);
    int layers = fields.count("n_layer", ConfigReader.MAX_LAYERS);
    Heads heads = reader.plainHeads("n_head", hidden);
    boolean scaled = fields.flag("scale_attn_weights", true);
    boolean byLayer = fields.flag("scale_attn_by_inverse_layer_idx", false);
    List<Layer> layersOf = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      double scale = (scaled ? heads.scale() : 1) / (byLayer ? layer + 1 : 1);
      layersOf.add(new Layer(Mask.causal(), scale, null));
    }
    if (!fields.has("n_inner") && hidden > ConfigReader.MAX_WIDTH / 4) {
      throw fields.error("n_embd", "is " + hidden + ", times 4 exceeds the widest MLP");
    }
    return reader.config(
        reader.vocabulary("vocab_size"),
        hidden,
        fields.count("n_positions", ConfigReader.MAX_POSITIONS, 1_024),
        new Embedding(1, true, 0, false),
        new Attention(heads.count(), heads.keyValue(), heads.dim(), true, true, false, layersOf),
        new Mlp(
            fields.count("n_inner", ConfigReader.MAX_WIDTH, 4 * hidden),
            reader.activation("activation_function", "gelu_new"),
            false,
            true),
        new Norms(
            true,
            fields.positive("layer_norm_epsilon", 1e-5),
            true,
            false,
            Wiring.BEFORE,
            true,
            true),
        reader.head(true, 0),
        Declarations.GPT2);
  }

  static ModelConfig gptNeoX(ConfigReader reader) {
    ConfigFields fields = reader.fields;
    int hidden = reader.hiddenSize();
    Heads heads = reader.plainHeads("num_attention_heads", hidden);
    int maxPositions = reader.maxPositions(2_048);
    boolean bias = fields.flag("attention_bias", true);
    RopeConfig rope =
        new RopeReader(fields, heads.dim(), maxPositions, true, false)
            .read(fields.positive("rotary_emb_base", 10_000), fields.positive("rotary_pct", 0.25));
    Wiring wiring = fields.flag("use_parallel_residual", true) ? Wiring.PARALLEL : Wiring.BEFORE;
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
            bias,
            false,
            ConfigReader.sameLayers(reader.layers(), Mask.causal(), heads.scale(), rope)),
        new Mlp(reader.intermediateSize(), reader.activation("hidden_act", "gelu"), false, true),
        new Norms(true, fields.positive("layer_norm_eps", 1e-5), true, false, wiring, true, true),
        reader.head(false, 0),
        Declarations.GPT_NEOX);
  }
}
