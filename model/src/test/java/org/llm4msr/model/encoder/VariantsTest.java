package org.llm4msr.model.encoder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.checkpoint.StoredTensor;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Settings for which there is no golden: the goldens' weights under another config, against a plain
 * forward pass in double that is written out here.
 */
class VariantsTest {
  private static final int HIDDEN = 64;
  private static final int HEADS = 4;
  private static final int KV_HEADS = 2;
  private static final int HEAD_DIM = 16;

  @TempDir Path folder;

  /**
   * @param changes to the golden's config
   * @param windows by layer; 0 for none
   * @param rotary numbers of a head that turn
   * @param slowdown divisor of pair i's frequency
   * @param factor of what is turned
   */
  record Variant(
      String golden,
      String changes,
      double theta,
      double epsilon,
      int[] windows,
      int rotary,
      double[] slowdown,
      double factor) {
    @Override
    public String toString() {
      return golden + " with " + changes;
    }
  }

  private static final double[] AS_IT_IS = {1, 1, 1, 1, 1, 1, 1, 1};

  static Stream<Variant> variants() {
    return Stream.of(
        new Variant(
            "mistral", "{\"sliding_window\":1}", 1e4, 1e-5, new int[] {1, 1}, 16, AS_IT_IS, 1),
        new Variant("mistral", "{\"sliding_window\":null}", 1e4, 1e-5, new int[2], 16, AS_IT_IS, 1),
        new Variant(
            "mistral", "{\"sliding_window\":40}", 1e4, 1e-5, new int[] {40, 40}, 16, AS_IT_IS, 1),
        new Variant(
            "mistral", "{\"sliding_window\":39}", 1e4, 1e-5, new int[] {39, 39}, 16, AS_IT_IS, 1),
        new Variant(
            "qwen2",
            "{\"use_sliding_window\":true,\"sliding_window\":3,\"max_window_layers\":1,"
                + "\"layer_types\":null}",
            1e6,
            1e-6,
            new int[] {0, 3},
            16,
            AS_IT_IS,
            1),
        new Variant(
            "phi3",
            "{\"sliding_window\":4,\"partial_rotary_factor\":0.5}",
            1e4,
            1e-5,
            new int[] {4, 4},
            8,
            AS_IT_IS,
            1),
        // 32 positions: pair 0 turns 5 times, pair 2 less than once; the passage is pair 1.
        new Variant(
            "llama",
            "{\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0,"
                + "\"original_max_position_embeddings\":32}}",
            1e4,
            1e-5,
            new int[2],
            16,
            new double[] {1, 1 / 0.625, 4, 4, 4, 4, 4, 4},
            0.1 * Math.log(4) + 1),
        // Does nothing within the model's positions.
        new Variant(
            "llama",
            "{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":4.0}}",
            1e4,
            1e-5,
            new int[2],
            16,
            AS_IT_IS,
            1),
        longRope("llama", "longrope", 39, LONG),
        longRope("llama", "longrope", 40, SHORT),
        longRope("phi3", "su", 20, LONG),
        longRope("phi3", "longrope", 60, SHORT));
  }

  private static final double[] SHORT = {1, 1.125, 1.25, 1.5, 2, 2.5, 3, 3.5};
  private static final double[] LONG = {1.5, 2, 3, 4.5, 7, 11, 20, 33};

  static String longRope(String type, int original) {
    return "{\"max_position_embeddings\":128,\"sliding_window\":null,"
        + "\"original_max_position_embeddings\":%d,\"rope_scaling\":{\"type\":\"%s\","
            .formatted(original, type)
        + "\"short_factor\":%s,\"long_factor\":%s}}"
            .formatted(Arrays.toString(SHORT), Arrays.toString(LONG));
  }

  /** The prompt has 40 tokens: longer than the original positions or not. */
  private static Variant longRope(String golden, String type, int original, double[] slowdown) {
    double factor = Math.sqrt(1 + Math.log(128.0 / original) / Math.log(original));
    return new Variant(
        golden, longRope(type, original), 1e4, 1e-5, new int[2], 16, slowdown, factor);
  }

  @ParameterizedTest
  @MethodSource("variants")
  void agreesWithAPlainForwardPass(Variant variant) throws IOException {
    Path golden = write(folder, variant.golden, variant.changes);
    int[] prompt = new Random(4).ints(40, 0, 384).toArray();
    double[][] expected;
    try (Safetensors weights = Safetensors.open(golden.resolve("model.safetensors"))) {
      expected = forward(weights, variant, prompt);
    }
    for (String backend : FrozenEncoderTest.backends()) {
      EncoderOptions options = EncoderOptions.defaults().withBackend(backend).withThreads(2);
      try (FrozenEncoder encoder = FrozenEncoder.load(folder, options)) {
        float[] actual = encoder.encodeTokens(List.of(prompt))[0];
        for (int i = 0; i < HIDDEN; i++) {
          assertThat((double) actual[i]).isCloseTo(expected[39][i], within(1e-4));
        }
      }
    }
  }

  /** The golden's weights under a changed config, in the folder. */
  static Path write(Path folder, String name, String changes) throws IOException {
    Path golden = GoldenCase.directory("transformers/" + name);
    ObjectNode config =
        (ObjectNode) JsonMapper.shared().readTree(Files.readString(golden.resolve("config.json")));
    config.setAll((ObjectNode) JsonMapper.shared().readTree(changes));
    Files.writeString(folder.resolve("config.json"), config.toString());
    Files.copy(golden.resolve("model.safetensors"), folder.resolve("model.safetensors"));
    return golden;
  }

  private static double[][] forward(Safetensors weights, Variant variant, int[] prompt) {
    double[][] table = matrix(weights, "model.embed_tokens.weight");
    double[][] x = new double[prompt.length][];
    for (int t = 0; t < x.length; t++) {
      x[t] = table[prompt[t]].clone();
    }
    for (int layer = 0; layer < 2; layer++) {
      String name = "model.layers." + layer + ".";
      double[] norm = vector(weights, name + "input_layernorm.weight");
      double[][] q = new double[x.length][];
      double[][] k = new double[x.length][];
      double[][] v = new double[x.length][];
      for (int t = 0; t < x.length; t++) {
        double[] normed = normed(x[t], norm, variant.epsilon);
        double[] all = projected(weights, name, normed);
        q[t] = turned(Arrays.copyOfRange(all, 0, 64), t, variant);
        k[t] = turned(Arrays.copyOfRange(all, 64, 96), t, variant);
        v[t] = Arrays.copyOfRange(all, 96, 128);
      }
      double[][] output = matrix(weights, name + "self_attn.o_proj.weight");
      for (int t = 0; t < x.length; t++) {
        add(x[t], times(output, attended(q[t], k, v, t, variant.windows[layer])));
      }
      double[] mlpNorm = vector(weights, name + "post_attention_layernorm.weight");
      double[][] down = matrix(weights, name + "mlp.down_proj.weight");
      for (double[] row : x) {
        double[] normed = normed(row, mlpNorm, variant.epsilon);
        double[] both = gateAndUp(weights, name, normed);
        double[] inner = new double[160];
        for (int i = 0; i < inner.length; i++) {
          inner[i] = both[i] / (1 + Math.exp(-both[i])) * both[160 + i];
        }
        add(row, times(down, inner));
      }
    }
    double[] last = vector(weights, "model.norm.weight");
    for (int t = 0; t < x.length; t++) {
      x[t] = normed(x[t], last, variant.epsilon);
    }
    return x;
  }

  /** q, k and v of a token, one after the other. */
  private static double[] projected(Safetensors weights, String layer, double[] x) {
    if (weights.names().contains(layer + "self_attn.qkv_proj.weight")) {
      return times(matrix(weights, layer + "self_attn.qkv_proj.weight"), x);
    }
    double[] all = new double[0];
    for (String part : new String[] {"q", "k", "v"}) {
      String name = layer + "self_attn." + part + "_proj.";
      double[] y = times(matrix(weights, name + "weight"), x);
      if (weights.names().contains(name + "bias")) {
        add(y, vector(weights, name + "bias"));
      }
      all = joined(all, y);
    }
    return all;
  }

  private static double[] gateAndUp(Safetensors weights, String layer, double[] x) {
    return weights.names().contains(layer + "mlp.gate_up_proj.weight")
        ? times(matrix(weights, layer + "mlp.gate_up_proj.weight"), x)
        : joined(
            times(matrix(weights, layer + "mlp.gate_proj.weight"), x),
            times(matrix(weights, layer + "mlp.up_proj.weight"), x));
  }

  private static double[] joined(double[] a, double[] b) {
    double[] all = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, all, a.length, b.length);
    return all;
  }

  private static double[] turned(double[] x, int position, Variant variant) {
    int pairs = variant.rotary / 2;
    for (int head = 0; head < x.length; head += HEAD_DIM) {
      for (int i = 0; i < pairs; i++) {
        double frequency = Math.pow(variant.theta, -2.0 * i / variant.rotary);
        double angle = position * frequency / variant.slowdown[i];
        double a = x[head + i];
        double b = x[head + i + pairs];
        x[head + i] = variant.factor * (a * Math.cos(angle) - b * Math.sin(angle));
        x[head + i + pairs] = variant.factor * (b * Math.cos(angle) + a * Math.sin(angle));
      }
    }
    return x;
  }

  private static double[] attended(double[] q, double[][] k, double[][] v, int at, int window) {
    double[] out = new double[HEADS * HEAD_DIM];
    for (int head = 0; head < HEADS; head++) {
      int kv = head / (HEADS / KV_HEADS) * HEAD_DIM;
      double total = 0;
      for (int s = window == 0 ? 0 : Math.max(0, at - window + 1); s <= at; s++) {
        double score = 0;
        for (int d = 0; d < HEAD_DIM; d++) {
          score += q[head * HEAD_DIM + d] * k[s][kv + d];
        }
        double weight = Math.exp(score / 4);
        total += weight;
        for (int d = 0; d < HEAD_DIM; d++) {
          out[head * HEAD_DIM + d] += weight * v[s][kv + d];
        }
      }
      for (int d = 0; d < HEAD_DIM; d++) {
        out[head * HEAD_DIM + d] /= total;
      }
    }
    return out;
  }

  private static double[] normed(double[] x, double[] weight, double epsilon) {
    double square = 0;
    for (double element : x) {
      square += element * element / x.length;
    }
    double[] y = new double[x.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = x[i] / Math.sqrt(square + epsilon) * weight[i];
    }
    return y;
  }

  private static double[] times(double[][] matrix, double[] x) {
    double[] y = new double[matrix.length];
    for (int row = 0; row < y.length; row++) {
      for (int i = 0; i < x.length; i++) {
        y[row] += matrix[row][i] * x[i];
      }
    }
    return y;
  }

  private static void add(double[] to, double[] x) {
    for (int i = 0; i < to.length; i++) {
      to[i] += x[i];
    }
  }

  private static double[][] matrix(Safetensors weights, String name) {
    StoredTensor tensor = weights.tensor(name);
    int columns = (int) tensor.shape().dim(1);
    double[][] rows = new double[(int) tensor.shape().dim(0)][columns];
    for (int i = 0; i < rows.length * columns; i++) {
      rows[i / columns][i % columns] = tensor.dtype().get(tensor.data(), i);
    }
    return rows;
  }

  private static double[] vector(Safetensors weights, String name) {
    StoredTensor tensor = weights.tensor(name);
    double[] elements = new double[(int) tensor.shape().elements()];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = tensor.dtype().get(tensor.data(), i);
    }
    return elements;
  }
}
