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
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import org.llm4msr.model.checkpoint.SafetensorsWriter;
import org.llm4msr.model.checkpoint.SafetensorsWriter.Declaration;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;

/**
 * Writes model directories of given shapes with random weights N(0, 0.02):
 *
 * <pre>
 * bench/run.sh -m org.llm4msr.bench.encoding.RandomModel 110m|0.5b|0.5b-untied|8b f32|bf16 DIRECTORY
 * </pre>
 */
public final class RandomModel {
  /**
   * Random numbers that matrices are made of; to draw every element anew would take minutes. Odd,
   * so that their rows differ.
   */
  private static final int POOL = (1 << 22) - 1;

  private static final double DEVIATION = 0.02;

  /**
   * @param bias whether q, k and v have biases, which makes it a qwen2, else a llama
   * @param tied whether the output head is the embedding table
   */
  private record Form(
      int hidden,
      int layers,
      int heads,
      int kvHeads,
      int inner,
      int vocabulary,
      boolean bias,
      boolean tied) {
    static Form named(String name) {
      return switch (name) {
        case "110m" -> new Form(768, 12, 12, 12, 2048, 32_000, false, true);
        case "0.5b" -> new Form(896, 24, 14, 2, 4864, 151_936, true, true);
        // Llama 3 8B without its output head, which encoding has no use for; 15 GB in BF16.
        case "8b" -> new Form(4096, 32, 32, 8, 14_336, 128_256, false, true);
        // For trying what measures the others.
        case "tiny" -> new Form(64, 2, 4, 2, 128, 1000, false, true);
        // 2.5 GB in F32.
        case "0.5b-untied" -> new Form(896, 24, 14, 2, 4864, 151_936, true, false);
        default -> throw new IllegalArgumentException("no shape " + name);
      };
    }
  }

  private RandomModel() {}

  public static void main(String[] arguments) {
    write(
        arguments[0], DType.valueOf(arguments[1].toUpperCase(Locale.ROOT)), Path.of(arguments[2]));
  }

  /** Tokens that a model of this shape knows. */
  public static int vocabulary(String shape) {
    return Form.named(shape).vocabulary;
  }

  /**
   * Writes a directory, over one that may be there.
   *
   * @param shape one of the names above
   * @param type of the matrices, F32 or BF16
   */
  public static void write(String shape, DType type, Path directory) {
    Form form = Form.named(shape);
    try {
      Files.createDirectories(directory);
      Files.writeString(directory.resolve("config.json"), config(form));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    List<Declaration> tensors = declarations(form, type);
    Path file = directory.resolve("model.safetensors");
    SplittableRandom random = new SplittableRandom(3);
    try (Arena arena = Arena.ofConfined();
        SafetensorsWriter writer = SafetensorsWriter.create(file, tensors, Map.of())) {
      MemorySegment pool = arena.allocate(type.byteSize(POOL), 64);
      for (int i = 0; i < POOL; i++) {
        type.set(pool, i, DEVIATION * random.nextGaussian());
      }
      for (Declaration tensor : tensors) {
        if (tensor.shape().rank() == 1) {
          writer.write(arena.allocateFrom(JAVA_FLOAT, vector(tensor, random)));
        } else {
          writeMatrix(writer, tensor, pool, random.nextInt(POOL));
        }
      }
      writer.commit();
    }
  }

  private static List<Declaration> declarations(Form form, DType type) {
    int keys = form.hidden / form.heads * form.kvHeads;
    List<Declaration> tensors = new ArrayList<>();
    tensors.add(matrix(type, "model.embed_tokens", form.vocabulary, form.hidden));
    for (int layer = 0; layer < form.layers; layer++) {
      String prefix = "model.layers." + layer + ".";
      tensors.add(vector(prefix + "input_layernorm.weight", form.hidden));
      tensors.add(matrix(type, prefix + "self_attn.q_proj", form.hidden, form.hidden));
      tensors.add(matrix(type, prefix + "self_attn.k_proj", keys, form.hidden));
      tensors.add(matrix(type, prefix + "self_attn.v_proj", keys, form.hidden));
      tensors.add(matrix(type, prefix + "self_attn.o_proj", form.hidden, form.hidden));
      if (form.bias) {
        tensors.add(vector(prefix + "self_attn.q_proj.bias", form.hidden));
        tensors.add(vector(prefix + "self_attn.k_proj.bias", keys));
        tensors.add(vector(prefix + "self_attn.v_proj.bias", keys));
      }
      tensors.add(vector(prefix + "post_attention_layernorm.weight", form.hidden));
      tensors.add(matrix(type, prefix + "mlp.gate_proj", form.inner, form.hidden));
      tensors.add(matrix(type, prefix + "mlp.up_proj", form.inner, form.hidden));
      tensors.add(matrix(type, prefix + "mlp.down_proj", form.hidden, form.inner));
    }
    tensors.add(vector("model.norm.weight", form.hidden));
    if (!form.tied) {
      tensors.add(matrix(type, "lm_head", form.vocabulary, form.hidden));
    }
    return tensors;
  }

  private static Declaration matrix(DType type, String name, long rows, long columns) {
    return new Declaration(name + ".weight", type, Shape.of(rows, columns));
  }

  private static Declaration vector(String name, long width) {
    return new Declaration(name, DType.F32, Shape.of(width));
  }

  /** Of norms and biases. */
  private static float[] vector(Declaration tensor, SplittableRandom random) {
    float[] elements = new float[Math.toIntExact(tensor.shape().elements())];
    int mean = tensor.name().endsWith("norm.weight") ? 1 : 0;
    for (int i = 0; i < elements.length; i++) {
      elements[i] = (float) (mean + DEVIATION * random.nextGaussian());
    }
    return elements;
  }

  /** Pieces of the pool, one after the other. */
  private static void writeMatrix(
      SafetensorsWriter writer, Declaration tensor, MemorySegment pool, long from) {
    DType type = tensor.dtype();
    long left = tensor.shape().elements();
    while (left > 0) {
      long count = Math.min(left, POOL - from);
      writer.write(pool.asSlice(type.byteSize(from), type.byteSize(count)));
      left -= count;
      from = 0;
    }
  }

  private static String config(Form form) {
    return """
    {
      "model_type": "%s", "hidden_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d,
      "num_key_value_heads": %d, "intermediate_size": %d, "vocab_size": %d,
      "max_position_embeddings": 4096, "rope_theta": 1000000.0, "rms_norm_eps": 1e-6,
      "tie_word_embeddings": %s
    }
    """
        .formatted(
            form.bias ? "qwen2" : "llama",
            form.hidden,
            form.layers,
            form.heads,
            form.kvHeads,
            form.inner,
            form.vocabulary,
            form.tied);
  }
}
