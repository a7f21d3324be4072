package org.llm4msr.model.gguf;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.llm4msr.model.family.HfConfig;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.model.family.ModelConfig.Attention;
import org.llm4msr.model.family.ModelConfig.Layer;
import org.llm4msr.model.family.ModelConfig.Norms;
import org.llm4msr.model.family.RopeConfig;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * A GGUF file's metadata in the words of a Hugging Face config, so that one reader knows each
 * family; then what llama.cpp stores otherwise: names, order of rows, factors of norms. A key of
 * the architecture that is not known here is refused: ignored, it would change the vectors.
 */
public final class GgufConfig {
  /** Keys that say nothing about the hidden states. */
  private static final Set<String> HARMLESS =
      Set.of("vocab_size", "pooling_type", "expert_used_count", "tensor_data_layout");

  private final GgufFile file;
  private final GgufMetadata metadata;
  private final String architecture;
  private final ObjectNode json = JsonNodeFactory.instance.objectNode();
  private final Set<String> read = new HashSet<>();
  private int heads;
  private int headDim;

  private GgufConfig(GgufFile file) {
    this.file = file;
    this.metadata = file.metadata();
    this.architecture = metadata.text("general.architecture");
  }

  /**
   * The config of a file's model, with the names of its tensors.
   *
   * @throws UserError if the architecture or an option is not supported, or a key is missing
   */
  public static ModelConfig read(GgufFile file) {
    if (file.metadata().whole("split.count", 1) > 1) {
      throw new UserError(
          file.file() + ": one of several parts: join them with llama-gguf-split --merge");
    }
    return new GgufConfig(file).read();
  }

  private ModelConfig read() {
    switch (architecture) {
      case "llama" -> llama();
      case "qwen2" -> decoder("qwen2", true);
      case "qwen3" -> decoder("qwen3", true);
      case "phi3" -> phi3();
      case "gemma2" -> gemma2();
      case "gemma3" -> gemma3();
      case "chatglm" -> glm("glm");
      case "glm4" -> glm("glm4");
      case "gpt2" -> gpt2();
      case "bert" -> bert();
      default ->
          throw metadata.error(
              "general.architecture",
              "is \""
                  + architecture
                  + "\", supported are llama, qwen2, qwen3, phi3, gemma2, gemma3, chatglm, glm4,"
                  + " gpt2 and bert");
    }
    refuseUnknownKeys();
    return adapted(HfConfig.parse(file.file(), json));
  }

  private String key(String name) {
    read.add(name);
    return architecture + "." + name;
  }

  private boolean has(String name) {
    return metadata.has(key(name));
  }

  private int count(String name) {
    if (metadata.isArray(key(name))) {
      throw metadata.error(key(name), "differs by layer: not supported");
    }
    return metadata.count(key(name));
  }

  private int count(String name, int otherwise) {
    return has(name) ? count(name) : otherwise;
  }

  /** A number that the file holds in single precision, as it was written in decimals. */
  private double real(String name, double otherwise) {
    double value = metadata.real(key(name), otherwise);
    return (float) value == value ? Double.parseDouble(Float.toString((float) value)) : value;
  }

  private boolean hasTensor(String name) {
    return file.names().contains(name);
  }

  private void refuseUnknownKeys() {
    for (String key : metadata.keys()) {
      String name =
          key.startsWith(architecture + ".") ? key.substring(architecture.length() + 1) : "";
      if (!name.isEmpty() && !read.contains(name) && !HARMLESS.contains(name)) {
        throw metadata.error(key, "is an option that is not supported");
      }
    }
  }

  /** What all families have, under the keys of most. */
  private void sizes(String modelType) {
    json.put("model_type", modelType);
    json.put("num_hidden_layers", count("block_count"));
    int hidden = count("embedding_length");
    json.put("hidden_size", hidden);
    json.put("max_position_embeddings", count("context_length"));
    json.put("intermediate_size", count("feed_forward_length"));
    heads = count("attention.head_count");
    json.put("num_attention_heads", heads);
    json.put("vocab_size", file.tensor("token_embd.weight").shape().dim(0));
    if (count("expert_count", 0) > 0) {
      throw metadata.error(key("expert_count"), "asks for experts, which are not supported");
    }
    json.put("tie_word_embeddings", !hasTensor("output.weight"));
    ArrayNode stop = json.putArray("eos_token_id");
    for (String name : List.of("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")) {
      long id = metadata.whole(name, -1);
      if (id >= 0 && id <= Integer.MAX_VALUE) {
        stop.add((int) id);
      }
    }
    if (real("logit_scale", 1) != 1
        || real("embedding_scale", 1) != 1
        || real("residual_scale", 1) != 1) {
      throw metadata.error(architecture, "scales its activations: not supported");
    }
    if (heads == 0) {
      throw metadata.error(key("attention.head_count"), "is 0");
    }
    headDim = count("attention.key_length", hidden / heads);
    if (count("attention.value_length", headDim) != headDim) {
      throw metadata.error(
          key("attention.value_length"), "differs from the keys' length: not supported");
    }
  }

  private void decoder(String modelType, boolean wholeHeads) {
    sizes(modelType);
    json.put("num_key_value_heads", count("attention.head_count_kv", heads));
    json.put("head_dim", headDim);
    json.put("rms_norm_eps", real("attention.layer_norm_rms_epsilon", 1e-6));
    json.put("rope_theta", real("rope.freq_base", 10_000));
    rope();
    int turned = count("rope.dimension_count", headDim);
    if (wholeHeads && turned != headDim) {
      throw metadata.error(
          key("rope.dimension_count"),
          "is " + turned + ": this family turns whole heads, of width " + headDim);
    }
    if (!metadata.flag(key("attention.causal"), true)) {
      throw metadata.error(key("attention.causal"), "is false: not supported for this family");
    }
  }

  private void rope() {
    double linear = real("rope.scale_linear", 1);
    String type = metadata.text(key("rope.scaling.type"), linear == 1 ? "none" : "linear");
    double factor = real("rope.scaling.factor", linear);
    int original = count("rope.scaling.original_context_length", 0);
    // Fine-tuned for the scaling or not, the computation is the same.
    metadata.flag(key("rope.scaling.finetuned"), false);
    if (hasTensor("rope_factors_long.weight") || type.equals("longrope")) {
      longRope(original);
      return;
    }
    if (real("rope.scaling.attn_factor", 1) != 1 || has("rope.scaling.yarn_log_multiplier")) {
      throw metadata.error(key("rope.scaling.attn_factor"), "is not supported");
    }
    if (type.equals("none") || type.equals("linear") && factor == 1) {
      return;
    }
    ObjectNode scaling = json.putObject("rope_scaling");
    scaling.put("rope_type", type);
    scaling.put("factor", factor);
    if (type.equals("yarn") && original > 0) {
      scaling.put("original_max_position_embeddings", original);
    }
  }

  /** The divisors are tensors, which {@code rope_freqs} would contradict. */
  private void longRope(int original) {
    ObjectNode scaling = json.putObject("rope_scaling");
    scaling.put("rope_type", "longrope");
    for (String length : List.of("short", "long")) {
      ArrayNode divisors = scaling.putArray(length + "_factor");
      for (double divisor : file.numbers("rope_factors_" + length + ".weight")) {
        divisors.add(divisor);
      }
    }
    if (original > 0) {
      json.put("original_max_position_embeddings", original);
    }
    scaling.put("attention_factor", real("rope.scaling.attn_factor", 1));
  }

  private void llama() {
    // Mistral goes by llama's name; only its window tells them apart.
    int window = count("attention.sliding_window", 0);
    decoder(window > 0 ? "mistral" : "llama", true);
    if (window > 0) {
      json.put("sliding_window", window);
    }
  }

  private void phi3() {
    decoder("phi3", false);
    json.put("partial_rotary_factor", (double) count("rope.dimension_count", headDim) / headDim);
    int window = count("attention.sliding_window", 0);
    if (window > 0) {
      json.put("sliding_window", window);
    }
  }

  /**
   * Scores are scaled by the heads' width, in the largest model by their share of the residual
   * stream, unless the file says how.
   */
  private void gemma(String modelType, int layersOfLargest) {
    decoder(modelType, true);
    boolean largest = count("block_count") == layersOfLargest;
    double width = largest ? (double) count("embedding_length") / heads : headDim;
    double scale = real("attention.scale", 0);
    json.put("query_pre_attn_scalar", scale > 0 ? 1 / (scale * scale) : width);
    json.put("sliding_window", count("attention.sliding_window", 4_096));
  }

  private void gemma2() {
    gemma("gemma2", 46);
    json.put("attn_logit_softcapping", real("attn_logit_softcapping", 50));
    json.put("final_logit_softcapping", real("final_logit_softcapping", 30));
  }

  private void gemma3() {
    gemma("gemma3_text", 62);
    json.put("rope_theta", real("rope.freq_base", 1e6));
    json.put("rope_local_base_freq", real("rope.freq_base_swa", 10_000));
    json.put("sliding_window_pattern", count("attention.sliding_window_pattern", 6));
    if (has("final_logit_softcapping")) {
      json.put("final_logit_softcapping", real("final_logit_softcapping", 30));
    }
  }

  private void glm(String modelType) {
    decoder(modelType, false);
    json.put(
        "partial_rotary_factor", (double) count("rope.dimension_count", headDim / 2) / headDim);
  }

  private void gpt2() {
    sizes("gpt2");
    json.put("n_embd", count("embedding_length"));
    json.put("n_layer", count("block_count"));
    json.put("n_head", heads);
    json.put("n_positions", count("context_length"));
    json.put("n_inner", count("feed_forward_length"));
    json.put("layer_norm_epsilon", real("attention.layer_norm_epsilon", 1e-5));
    sameHeads();
  }

  private void bert() {
    sizes("bert");
    json.put("layer_norm_eps", real("attention.layer_norm_epsilon", 1e-12));
    json.put("type_vocab_size", file.tensor("token_types.weight").shape().dim(0));
    if (metadata.flag(key("attention.causal"), false)) {
      throw metadata.error(key("attention.causal"), "is true: bert as a decoder is not supported");
    }
    sameHeads();
  }

  private void sameHeads() {
    if (count("attention.head_count_kv", heads) != heads) {
      throw metadata.error(
          key("attention.head_count_kv"), "differs from head_count: not supported here");
    }
  }

  /** The same model as llama.cpp stores it. */
  private ModelConfig adapted(ModelConfig config) {
    Attention attention = config.attention();
    List<Layer> layers = new ArrayList<>();
    for (Layer layer : attention.layers()) {
      layers.add(new Layer(layer.mask(), layer.scale(), adapted(layer.rope())));
    }
    boolean fused = hasTensor("blk.0.attn_qkv.weight");
    Norms norms = config.norms();
    return new ModelConfig(
        config.file(),
        config.family(),
        config.vocabularySize(),
        config.hiddenSize(),
        config.layers(),
        config.maxPositions(),
        config.embedding(),
        new Attention(
            attention.heads(),
            attention.kvHeads(),
            attention.headDim(),
            hasTensor("blk.0.attn_" + (fused ? "qkv" : "q") + ".bias"),
            hasTensor("blk.0.attn_output.bias"),
            attention.headNorms(),
            layers),
        new ModelConfig.Mlp(
            config.mlp().width(),
            config.mlp().activation(),
            config.mlp().gated(),
            hasTensor("blk.0.ffn_down.bias")),
        // The factors 1 + w are stored as such.
        new Norms(
            norms.layerNorm(),
            norms.epsilon(),
            norms.bias(),
            false,
            norms.wiring(),
            norms.inFirstLayer(),
            norms.last()),
        config.head(),
        config.stopTokens(),
        GgufNames.of(config, fused, hasTensor("blk.0.ffn_gate.weight")));
  }

  /**
   * Llama's rows of q and k are stored in an order in which rope turns neighbours: turning
   * neighbours gives the same scores, and the rows stay where they are.
   */
  private RopeConfig adapted(RopeConfig rope) {
    if (rope == null) {
      return null;
    }
    RopeConfig.Scaling scaling = rope.scaling();
    if (hasTensor("rope_freqs.weight")) {
      double[] divisors = file.numbers("rope_freqs.weight");
      if (divisors.length != rope.dims() / 2 || !allPositive(divisors)) {
        throw new UserError(
            file.tensor("rope_freqs.weight").where()
                + ": expected "
                + rope.dims() / 2
                + " numbers above 0");
      }
      scaling = new RopeConfig.Divisors(divisors);
    }
    boolean neighbours = rope.interleaved() || architecture.equals("llama");
    return new RopeConfig(rope.theta(), rope.dims(), neighbours, scaling);
  }

  private static boolean allPositive(double[] numbers) {
    for (double number : numbers) {
      if (!(number > 0 && number < Double.POSITIVE_INFINITY)) {
        return false;
      }
    }
    return true;
  }
}
