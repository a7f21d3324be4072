package org.llm4msr.bench.encoding;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.model.checkpoint.SafetensorsWriter.Declaration;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;

/**
 * Writes a model directory of the llama family with 110 million random F32 weights: speed depends
 * on shapes, not on what the weights say, and nobody has to download anything.
 */
public final class RandomCheckpoint {
  public static final int HIDDEN = 768;
  public static final int LAYERS = 12;
  private static final int HEADS = 12;
  public static final int INNER = 2048;
  public static final int VOCABULARY = 32_000;
  private static final double ROPE_THETA = 10_000;
  private static final double RMS_NORM_EPSILON = 1e-5;

  private static final double DEVIATION = 0.02;
  private static final long SEED = 3;

  private RandomCheckpoint() {}

  private static List<Declaration> declarations() {
    List<Declaration> tensors = new ArrayList<>();
    tensors.add(matrix("model.embed_tokens", VOCABULARY, HIDDEN));
    for (int layer = 0; layer < LAYERS; layer++) {
      String prefix = "model.layers." + layer + ".";
      tensors.add(norm(prefix + "input_layernorm"));
      for (String name : List.of("q_proj", "k_proj", "v_proj", "o_proj")) {
        tensors.add(matrix(prefix + "self_attn." + name, HIDDEN, HIDDEN));
      }
      tensors.add(norm(prefix + "post_attention_layernorm"));
      tensors.add(matrix(prefix + "mlp.gate_proj", INNER, HIDDEN));
      tensors.add(matrix(prefix + "mlp.up_proj", INNER, HIDDEN));
      tensors.add(matrix(prefix + "mlp.down_proj", HIDDEN, INNER));
    }
    tensors.add(norm("model.norm"));
    return tensors;
  }

  private static Declaration matrix(String name, long rows, long columns) {
    return new Declaration(name + ".weight", DType.F32, Shape.of(rows, columns));
  }

  private static Declaration norm(String name) {
    return new Declaration(name + ".weight", DType.F32, Shape.of(HIDDEN));
  }

  /** Writes the directory, 440 MB, unless there are weights, which may be another model's. */
  public static void writeIfAbsent(Path directory) {
    Path weights = directory.resolve("model.safetensors");
    if (Files.exists(weights)) {
      return;
    }
    try {
      Files.createDirectories(directory);
      Files.writeString(directory.resolve("config.json"), config());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    List<Declaration> tensors = declarations();
    SplittableRandom random = new SplittableRandom(SEED);
    try (SafetensorsWriter writer = SafetensorsWriter.create(weights, tensors, Map.of())) {
      for (Declaration tensor : tensors) {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment elements = arena.allocate(JAVA_FLOAT, tensor.shape().elements());
          // Norm weights scatter around 1, so that leaving them out would show.
          double mean = tensor.shape().rank() == 1 ? 1 : 0;
          for (long i = 0; i < tensor.shape().elements(); i++) {
            double element = mean + DEVIATION * random.nextGaussian();
            elements.setAtIndex(JAVA_FLOAT, i, (float) element);
          }
          writer.write(elements);
        }
      }
      writer.commit();
    }
  }

  private static String config() {
    return """
    {
      "architectures": ["LlamaForCausalLM"],
      "model_type": "llama",
      "hidden_size": %d,
      "num_hidden_layers": %d,
      "num_attention_heads": %d,
      "num_key_value_heads": %d,
      "intermediate_size": %d,
      "vocab_size": %d,
      "bos_token_id": 1,
      "eos_token_id": 2,
      "max_position_embeddings": 2048,
      "rope_theta": %s,
      "rms_norm_eps": %s,
      "hidden_act": "silu",
      "tie_word_embeddings": true,
      "attention_bias": false,
      "mlp_bias": false,
      "torch_dtype": "float32"
    }
    """
        .formatted(HIDDEN, LAYERS, HEADS, HEADS, INNER, VOCABULARY, ROPE_THETA, RMS_NORM_EPSILON);
  }
}
