package org.llm4msr.model.family;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.family.ConfigReader.Heads;
import org.llm4msr.model.family.ModelConfig.Attention;
import org.llm4msr.model.family.ModelConfig.Embedding;
import org.llm4msr.model.family.ModelConfig.Head;
import org.llm4msr.model.family.ModelConfig.Mlp;
import org.llm4msr.model.family.ModelConfig.Norms;
import org.llm4msr.model.family.ModelConfig.Wiring;
import org.llm4msr.runtime.op.AttentionOp.Mask;
import org.llm4msr.runtime.op.UnaryOp;

/** GLM 4 under transformers' names, and ChatGLM 2 and 3 under their own: rope on neighbours. */
final class GlmFamilies {
  private static final String CODE = "modeling_chatglm.py";
  private static final int MOST_CODE_BYTES = 1 << 22;

  private GlmFamilies() {}

  static ModelConfig glm(ConfigReader reader) {
    return glm(reader, Wiring.BEFORE, Declarations.GLM);
  }

  static ModelConfig glm4(ConfigReader reader) {
    return glm(reader, Wiring.AROUND, Declarations.GLM4);
  }

  private static ModelConfig glm(ConfigReader reader, Wiring wiring, TensorNames tensors) {
    ConfigFields fields = reader.fields;
    fields.require("mlp_bias", false, "glm has no biases in its MLP");
    int hidden = reader.hiddenSize();
    Heads heads = reader.heads(hidden, 2, 128);
    int maxPositions = reader.maxPositions(131_072);
    RopeConfig rope =
        new RopeReader(fields, heads.dim(), maxPositions, true, true).read(10_000, 0.5);
    return reader.config(
        reader.vocabulary("vocab_size"),
        hidden,
        maxPositions,
        Embedding.PLAIN,
        new Attention(
            heads.count(),
            heads.keyValue(),
            heads.dim(),
            fields.flag("attention_bias", true),
            false,
            false,
            ConfigReader.sameLayers(reader.layers(), Mask.causal(), heads.scale(), rope)),
        new Mlp(reader.intermediateSize(), reader.activation("hidden_act", "silu"), true, false),
        new Norms(
            false, fields.positive("rms_norm_eps", 1.5625e-7), false, false, wiring, true, true),
        reader.head(false, 0),
        tensors);
  }

  static ModelConfig chatglm(ConfigReader reader) {
    ConfigFields fields = reader.fields;
    refuseVariants(fields);
    int hidden = reader.hiddenSize();
    int count = fields.count("num_attention_heads", ConfigReader.MAX_WIDTH);
    boolean multiQuery = fields.flag("multi_query_attention", false);
    int keyValue =
        multiQuery ? fields.count("multi_query_group_num", ConfigReader.MAX_WIDTH, 1) : count;
    if (!fields.has("kv_channels") && hidden % count != 0) {
      throw fields.error(
          "num_attention_heads", "is " + count + ", expected a divisor of the width, " + hidden);
    }
    Heads heads =
        reader.checked(
            "num_attention_heads",
            count,
            "multi_query_group_num",
            keyValue,
            "kv_channels",
            fields.count(
                "kv_channels",
                ConfigReader.MAX_WIDTH,
                fields.isNull("kv_channels") ? hidden / count : 128));
    int maxPositions = fields.count("seq_length", ConfigReader.MAX_POSITIONS, 2_048);
    // The first half of each head turns.
    RopeConfig rope =
        withRatio(
            new RopeReader(fields, heads.dim(), maxPositions, true, true).read(10_000, 0.5),
            reader);
    boolean bias = fields.flag("add_bias_linear", false);
    boolean layerNorm = !fields.flag("rmsnorm", true);
    TensorNames tensors =
        multiQuery
            ? Declarations.CHATGLM
            : Declarations.CHATGLM.withLayout(TensorNames.Layout.ROWS_BY_HEAD);
    return reader.config(
        reader.vocabulary("padded_vocab_size"),
        hidden,
        maxPositions,
        Embedding.PLAIN,
        new Attention(
            heads.count(),
            heads.keyValue(),
            heads.dim(),
            bias || fields.flag("add_qkv_bias", false),
            bias,
            false,
            ConfigReader.sameLayers(
                fields.count("num_layers", ConfigReader.MAX_LAYERS),
                Mask.causal(),
                heads.scale(),
                rope)),
        new Mlp(
            fields.count("ffn_hidden_size", ConfigReader.MAX_WIDTH), UnaryOp.Kind.SILU, true, bias),
        new Norms(
            layerNorm,
            fields.positive("layernorm_epsilon", 1e-5),
            layerNorm,
            false,
            Wiring.BEFORE,
            true,
            fields.flag("post_layer_norm", true)),
        new Head(true, fields.flag("tie_word_embeddings", false), 0),
        tensors);
  }

  /**
   * Releases differ in what {@code rope_ratio} does, and their configs do not tell which: ChatGLM 2
   * divides positions by it, ChatGLM 3 and GLM 4 multiply the base. The code that comes with the
   * weights says it.
   */
  private static RopeConfig withRatio(RopeConfig rope, ConfigReader reader) {
    double ratio = reader.fields.positive("rope_ratio", 1);
    if (ratio == 1) {
      return rope;
    }
    String code = "";
    Path file = reader.file.resolveSibling(CODE);
    try {
      if (Files.exists(file) && Files.size(file) < MOST_CODE_BYTES) {
        code = Files.readString(file, StandardCharsets.ISO_8859_1);
      }
    } catch (IOException e) {
      throw FileErrors.reading(file, e);
    }
    boolean base = code.contains("* self.rope_ratio");
    boolean positions = code.contains("/ self.rope_ratio");
    if (base == positions) {
      throw reader.fields.error(
          "rope_ratio",
          "is not 1: it scales positions in some ChatGLM releases and the base in others; the model's"
              + " own "
              + CODE
              + " says which, but is not beside the config or says neither");
    }
    return base
        ? new RopeConfig(rope.theta() * ratio, rope.dims(), rope.interleaved(), rope.scaling())
        : new RopeConfig(
            rope.theta(), rope.dims(), rope.interleaved(), new RopeConfig.Linear(ratio));
  }

  private static void refuseVariants(ConfigFields fields) {
    fields.require(
        "apply_residual_connection_post_layernorm",
        false,
        "residuals taken after the norm are not supported");
    fields.require("original_rope", true, "only the original rope is supported");
    fields.require("prefix_projection", false, "prefix tuning is not supported");
    if (fields.has("pre_seq_len")) {
      throw fields.error("pre_seq_len", "is set: prefix tuning is not supported");
    }
    if (fields.wholeNumber("quantization_bit", 0) != 0) {
      throw fields.error(
          "quantization_bit", "is set, supported are unquantised F32, F16 and BF16 weights");
    }
    fields.require("position_encoding_2d", false, "ChatGLM 1 is not supported");
  }
}
