package org.llm4msr.model.family;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.model.family.ConfigReader.Heads;
import org.llm4msr.model.family.ModelConfig.Attention;
import org.llm4msr.model.family.ModelConfig.Embedding;
import org.llm4msr.model.family.ModelConfig.Head;
import org.llm4msr.model.family.ModelConfig.Layer;
import org.llm4msr.model.family.ModelConfig.Mlp;
import org.llm4msr.model.family.ModelConfig.Norms;
import org.llm4msr.model.family.ModelConfig.Wiring;
import org.llm4msr.runtime.op.AttentionOp.Mask;

/** Encoders: every token sees what comes before and after it. */
final class BertFamilies {
  private BertFamilies() {}

  static ModelConfig bert(ConfigReader reader) {
    ConfigFields fields = reader.fields;
    fields.require("is_decoder", false, "bert as a decoder is not supported");
    String positions = fields.string("position_embedding_type", "absolute");
    if (!positions.equals("absolute")) {
      throw fields.error(
          "position_embedding_type", "is \"" + positions + "\", supported is absolute");
    }
    int hidden = reader.hiddenSize();
    if (fields.has("embedding_size")
        && fields.count("embedding_size", Integer.MAX_VALUE) != hidden) {
      throw fields.error("embedding_size", "is not hidden_size: a projection is not supported");
    }
    Heads heads = reader.plainHeads("num_attention_heads", hidden);
    return reader.config(
        reader.vocabulary("vocab_size"),
        hidden,
        reader.maxPositions(512),
        new Embedding(1, true, fields.count("type_vocab_size", ConfigReader.MAX_WIDTH, 2), true),
        new Attention(
            heads.count(),
            heads.keyValue(),
            heads.dim(),
            true,
            true,
            false,
            ConfigReader.sameLayers(reader.layers(), Mask.bidirectional(), heads.scale(), null)),
        new Mlp(reader.intermediateSize(), reader.activation("hidden_act", "gelu"), false, true),
        new Norms(
            true, fields.positive("layer_norm_eps", 1e-12), true, false, Wiring.AFTER, true, false),
        Head.NONE,
        Declarations.BERT);
  }

  static ModelConfig modernBert(ConfigReader reader) {
    ConfigFields fields = reader.fields;
    int hidden = reader.hiddenSize();
    int layers = reader.layers();
    Heads heads = reader.plainHeads("num_attention_heads", hidden);
    int maxPositions = reader.maxPositions(8_192);
    int every = fields.count("global_attn_every_n_layers", ConfigReader.MAX_LAYERS, 3);
    boolean[] sliding = reader.sliding(layers, layer -> layer % every != 0);
    int reach = fields.count("local_attention", Integer.MAX_VALUE, 128) / 2;
    double globalTheta = fields.positive("global_rope_theta", 160_000);
    double localTheta =
        fields.isNull("local_rope_theta")
            ? globalTheta
            : fields.positive("local_rope_theta", 10_000);
    RopeReader ropes = new RopeReader(fields, heads.dim(), maxPositions, false, false);
    RopeConfig full = ropes.read("full_attention", globalTheta, ropes.read(null, globalTheta, 1));
    RopeConfig local = ropes.read("sliding_attention", localTheta, ropes.read(null, localTheta, 1));
    List<Layer> layersOf = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      layersOf.add(
          sliding[layer]
              ? new Layer(new Mask(reach, reach, 0), heads.scale(), local)
              : new Layer(Mask.bidirectional(), heads.scale(), full));
    }
    boolean bias = fields.flag("attention_bias", false);
    return reader.config(
        reader.vocabulary("vocab_size"),
        hidden,
        maxPositions,
        new Embedding(1, false, 0, true),
        new Attention(heads.count(), heads.keyValue(), heads.dim(), bias, bias, false, layersOf),
        new Mlp(
            reader.intermediateSize(),
            reader.activation("hidden_activation", "gelu"),
            true,
            fields.flag("mlp_bias", false)),
        new Norms(
            true,
            fields.positive("norm_eps", 1e-5),
            fields.flag("norm_bias", false),
            false,
            Wiring.BEFORE,
            false,
            true),
        Head.NONE,
        Declarations.MODERNBERT);
  }
}
