package org.llm4msr.model.encoder;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.llm4msr.model.checkpoint.Checkpoint;
import org.llm4msr.model.checkpoint.StoredTensor;
import org.llm4msr.model.gguf.GgufFiles;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Stores a Hugging Face model as llama.cpp's convert_hf_to_gguf.py does, all in F32. */
final class GgufConverter {
  private static final Map<String, String> DECODER = new LinkedHashMap<>();
  private static final Map<String, String> GPT2 = new LinkedHashMap<>();
  private static final Map<String, String> BERT = new LinkedHashMap<>();

  static {
    String layer = "model\\.layers\\.(\\d+)\\.";
    DECODER.put("model\\.embed_tokens", "token_embd");
    DECODER.put("model\\.norm", "output_norm");
    DECODER.put("lm_head", "output");
    DECODER.put(layer + "input_layernorm", "blk.$1.attn_norm");
    DECODER.put(layer + "self_attn\\.([qkv])_proj", "blk.$1.attn_$2");
    DECODER.put(layer + "self_attn\\.([qk])_norm", "blk.$1.attn_$2_norm");
    DECODER.put(layer + "self_attn\\.qkv_proj", "blk.$1.attn_qkv");
    DECODER.put(layer + "self_attn\\.o_proj", "blk.$1.attn_output");
    DECODER.put(layer + "mlp\\.gate_up_proj", "blk.$1.ffn_up");
    DECODER.put(layer + "mlp\\.(gate|up|down)_proj", "blk.$1.ffn_$2");
    DECODER.put(layer + "post_attention_layernorm", "blk.$1.ffn_norm");
    DECODER.put(layer + "pre_feedforward_layernorm", "blk.$1.ffn_norm");
    DECODER.put(layer + "post_feedforward_layernorm", "blk.$1.post_ffw_norm");
    DECODER.put(layer + "post_self_attn_layernorm", "blk.$1.post_attention_norm");
    DECODER.put(layer + "post_mlp_layernorm", "blk.$1.post_ffw_norm");
    GPT2.put("transformer\\.wte", "token_embd");
    GPT2.put("transformer\\.wpe", "position_embd");
    GPT2.put("transformer\\.ln_f", "output_norm");
    layer = "transformer\\.h\\.(\\d+)\\.";
    GPT2.put(layer + "ln_1", "blk.$1.attn_norm");
    GPT2.put(layer + "attn\\.c_attn", "blk.$1.attn_qkv");
    GPT2.put(layer + "attn\\.c_proj", "blk.$1.attn_output");
    GPT2.put(layer + "ln_2", "blk.$1.ffn_norm");
    GPT2.put(layer + "mlp\\.c_fc", "blk.$1.ffn_up");
    GPT2.put(layer + "mlp\\.c_proj", "blk.$1.ffn_down");
    BERT.put("embeddings\\.word_embeddings", "token_embd");
    BERT.put("embeddings\\.position_embeddings", "position_embd");
    BERT.put("embeddings\\.token_type_embeddings", "token_types");
    BERT.put("embeddings\\.LayerNorm", "token_embd_norm");
    layer = "encoder\\.layer\\.(\\d+)\\.";
    BERT.put(layer + "attention\\.self\\.(q|k|v)(uery|ey|alue)", "blk.$1.attn_$2");
    BERT.put(layer + "attention\\.output\\.dense", "blk.$1.attn_output");
    BERT.put(layer + "attention\\.output\\.LayerNorm", "blk.$1.attn_output_norm");
    BERT.put(layer + "intermediate\\.dense", "blk.$1.ffn_up");
    BERT.put(layer + "output\\.dense", "blk.$1.ffn_down");
    BERT.put(layer + "output\\.LayerNorm", "blk.$1.layer_output_norm");
  }

  private final Path directory;
  private final JsonNode config;
  private final String type;
  private final String architecture;
  private final GgufFiles file = new GgufFiles();
  private final int heads;

  GgufConverter(Path directory) {
    this.directory = directory;
    this.config = JsonMapper.shared().readTree(directory.resolve("config.json").toFile());
    this.type = config.get("model_type").stringValue();
    this.architecture =
        switch (type) {
          case "mistral" -> "llama";
          case "glm" -> "chatglm";
          case "gemma3_text" -> "gemma3";
          default -> type;
        };
    this.heads = number("num_attention_heads", "n_head").intValue();
  }

  byte[] convert() {
    metadata();
    try (Checkpoint checkpoint = Checkpoint.open(directory)) {
      for (String name : checkpoint.names()) {
        if (!name.endsWith(".attn.bias") && !name.startsWith("pooler")) {
          tensor(checkpoint.tensor(name));
        }
      }
    }
    return file.build();
  }

  private JsonNode number(String... keys) {
    for (String key : keys) {
      JsonNode value = config.get(key);
      if (value != null && value.isNumber()) {
        return value;
      }
    }
    return null;
  }

  private void count(String name, String... keys) {
    JsonNode value = number(keys);
    if (value != null) {
      file.count(architecture + "." + name, value.longValue());
    }
  }

  private void real(String name, JsonNode value) {
    if (value != null && value.isNumber()) {
      file.real(architecture + "." + name, value.doubleValue());
    }
  }

  private void metadata() {
    file.text("general.architecture", architecture);
    count("block_count", "num_hidden_layers", "n_layer");
    count("embedding_length", "hidden_size", "n_embd");
    count("context_length", "max_position_embeddings", "n_positions");
    if (number("intermediate_size", "n_inner") == null) {
      file.count(architecture + ".feed_forward_length", 4 * number("n_embd").longValue());
    } else {
      count("feed_forward_length", "intermediate_size", "n_inner");
    }
    count("attention.head_count", "num_attention_heads", "n_head");
    count("attention.head_count_kv", "num_key_value_heads");
    count("attention.key_length", "head_dim");
    count("attention.value_length", "head_dim");
    real("attention.layer_norm_rms_epsilon", number("rms_norm_eps"));
    real("attention.layer_norm_epsilon", number("layer_norm_epsilon", "layer_norm_eps"));
    real("attn_logit_softcapping", number("attn_logit_softcapping"));
    real("final_logit_softcapping", number("final_logit_softcapping"));
    if (!type.startsWith("qwen")) {
      count("attention.sliding_window", "sliding_window");
    }
    count("attention.sliding_window_pattern", "sliding_window_pattern");
    if (number("query_pre_attn_scalar") != null) {
      double scalar = number("query_pre_attn_scalar").doubleValue();
      file.real(architecture + ".attention.scale", 1 / Math.sqrt(scalar));
    }
    JsonNode rope = config.path("rope_parameters");
    JsonNode full = rope.has("full_attention") ? rope.get("full_attention") : rope;
    JsonNode theta = config.has("rope_theta") ? config.get("rope_theta") : full.path("rope_theta");
    real("rope.freq_base", theta);
    longRope(config.path("rope_scaling"));
    if (type.startsWith("glm")) {
      file.count(architecture + ".rope.dimension_count", number("head_dim").longValue() / 2);
    }
  }

  /** The factor of what is turned, which the config leaves to its reader, is written. */
  private void longRope(JsonNode scaling) {
    if (!scaling.has("long_factor")) {
      return;
    }
    double original = number("original_max_position_embeddings").doubleValue();
    count("rope.scaling.original_context_length", "original_max_position_embeddings");
    double times = number("max_position_embeddings").doubleValue() / original;
    file.real(
        architecture + ".rope.scaling.attn_factor",
        Math.sqrt(1 + Math.log(times) / Math.log(original)));
    for (String length : new String[] {"long", "short"}) {
      JsonNode divisors = scaling.get(length + "_factor");
      float[] values = new float[divisors.size()];
      for (int i = 0; i < values.length; i++) {
        values[i] = divisors.get(i).floatValue();
      }
      file.tensor("rope_factors_" + length + ".weight", values, new long[] {values.length});
    }
  }

  private void tensor(StoredTensor stored) {
    String name = stored.name();
    String suffix = name.substring(name.lastIndexOf('.'));
    float[] values = new float[(int) stored.shape().elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) stored.dtype().get(stored.data(), i);
    }
    long[] shape = stored.shape().toArray();
    if (type.startsWith("gemma") && name.endsWith("norm.weight")) {
      for (int i = 0; i < values.length; i++) {
        values[i] += 1;
      }
    }
    if (architecture.equals("llama") && name.matches(".*self_attn\\.[qk]_proj\\.weight")) {
      JsonNode keyHeads = number("num_key_value_heads");
      values =
          permuted(
              values,
              name.contains("q_proj") || keyHeads == null ? heads : keyHeads.intValue(),
              (int) shape[0],
              (int) shape[1]);
    }
    if (type.equals("gpt2") && name.matches(".*\\.c_(attn|proj|fc)\\.weight")) {
      values = transposed(values, (int) shape[0], (int) shape[1]);
      shape = new long[] {shape[1], shape[0]};
    }
    file.tensor(
        renamed(name.substring(0, name.length() - suffix.length())) + suffix, values, shape);
  }

  private String renamed(String name) {
    Map<String, String> names =
        switch (type) {
          case "gpt2" -> GPT2;
          case "bert" -> BERT;
          default -> DECODER;
        };
    String bare = type.equals("bert") ? name.replaceFirst("^bert\\.", "") : name;
    for (Map.Entry<String, String> entry : names.entrySet()) {
      if (bare.matches(entry.getKey())) {
        String renamed = bare.replaceFirst(entry.getKey(), entry.getValue());
        boolean gemma = type.startsWith("gemma") && bare.endsWith("post_attention_layernorm");
        return gemma ? renamed.replace("ffn_norm", "post_attention_norm") : renamed;
      }
    }
    throw new IllegalArgumentException("no name for " + name);
  }

  /** w.reshape(heads, 2, dim / 2, in).swapaxes(1, 2). */
  private static float[] permuted(float[] w, int heads, int rows, int width) {
    float[] result = new float[w.length];
    int half = rows / heads / 2;
    for (int head = 0; head < heads; head++) {
      for (int part = 0; part < 2; part++) {
        for (int i = 0; i < half; i++) {
          int from = (head * 2 + part) * half + i;
          int to = (head * half + i) * 2 + part;
          System.arraycopy(w, from * width, result, to * width, width);
        }
      }
    }
    return result;
  }

  private static float[] transposed(float[] w, int rows, int cols) {
    float[] result = new float[w.length];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < cols; c++) {
        result[c * rows + r] = w[r * cols + c];
      }
    }
    return result;
  }
}
