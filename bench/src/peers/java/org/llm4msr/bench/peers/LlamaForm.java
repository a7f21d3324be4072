package org.llm4msr.bench.peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What peers need to know of a llama or qwen2 with a tied output head.
 *
 * @param bias whether queries, keys and values have one
 */
record LlamaForm(
    int hidden,
    int layers,
    int heads,
    int keyHeads,
    int vocabulary,
    double ropeTheta,
    double rmsNormEpsilon,
    boolean bias) {
  /** From {@code config.json}. */
  static LlamaForm of(Path directory) {
    try {
      JsonNode config =
          JsonMapper.shared().readTree(Files.readString(directory.resolve("config.json")));
      return new LlamaForm(
          config.path("hidden_size").asInt(),
          config.path("num_hidden_layers").asInt(),
          config.path("num_attention_heads").asInt(),
          config.path("num_key_value_heads").asInt(),
          config.path("vocab_size").asInt(),
          config.path("rope_theta").asDouble(),
          config.path("rms_norm_eps").asDouble(),
          config.path("model_type").asString().equals("qwen2"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  int headDim() {
    return hidden / heads;
  }

  static String prefix(int layer) {
    return "model.layers." + layer + ".";
  }

  /** Names of a layer's tensors in the order in which a forward pass uses them. */
  List<String> tensors(int layer) {
    List<String> names = new ArrayList<>();
    names.add("input_layernorm.weight");
    for (String part : List.of("q", "k", "v")) {
      names.add("self_attn." + part + "_proj.weight");
      if (bias) {
        names.add("self_attn." + part + "_proj.bias");
      }
    }
    names.add("self_attn.o_proj.weight");
    names.add("post_attention_layernorm.weight");
    for (String part : List.of("gate", "up", "down")) {
      names.add("mlp." + part + "_proj.weight");
    }
    return names.stream().map(name -> prefix(layer) + name).toList();
  }
}
