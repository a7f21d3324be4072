package org.llm4msr.runtime.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.llm4msr.runtime.backend.reference.Applied.apply;
import static org.llm4msr.runtime.backend.reference.Applied.ints;
import static org.llm4msr.runtime.backend.reference.Applied.real;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.runtime.backend.reference.Applied.In;
import org.llm4msr.runtime.op.AttentionGradientOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.AttentionOp.Mask;
import org.llm4msr.runtime.op.AttentionPoolingGradientOp;
import org.llm4msr.runtime.op.AttentionPoolingOp;
import org.llm4msr.runtime.op.GluGradientOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.LayerNormGradientOp;
import org.llm4msr.runtime.op.LayerNormOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.RmsNormGradientOp;
import org.llm4msr.runtime.op.RmsNormOp;
import org.llm4msr.runtime.op.RopeOp;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * What transformers and attention over lists compute with: gradients against central differences,
 * sums by hand.
 */
class TransformerGradientTest {
  private static final double STEP = 1e-5;

  private final Random random = new Random(9);

  private In normal(long... extents) {
    int count = 1;
    for (long extent : extents) {
      count *= (int) extent;
    }
    return real(random.doubles(count, -2, 2).toArray(), extents);
  }

  /** That {@code gradient} is the derivative of {@code sum(dy * op(inputs))} by one input. */
  private static void assertDerivative(Op op, In[] inputs, int by, double[] dy, double[] gradient) {
    double[] x = inputs[by].elements();
    assertThat(gradient).hasSameSizeAs(x);
    for (int i = 0; i < x.length; i++) {
      double kept = x[i];
      x[i] = kept + STEP;
      double above = dot(apply(op, inputs).output(), dy);
      x[i] = kept - STEP;
      double below = dot(apply(op, inputs).output(), dy);
      x[i] = kept;
      assertThat(gradient[i])
          .as("%s by input %d, element %d", op, by, i)
          .isCloseTo((above - below) / (2 * STEP), within(1e-7));
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  @Test
  void norms() {
    In x = normal(3, 7);
    In weight = normal(7);
    In bias = normal(7);
    In dy = normal(3, 7);
    List<double[]> d = apply(new LayerNormGradientOp(0.1), x, weight, dy).outputs();
    for (int by = 0; by < 3; by++) {
      assertDerivative(
          new LayerNormOp(0.1), new In[] {x, weight, bias}, by, dy.elements(), d.get(by));
    }
    In heads = normal(2, 3, 5);
    In scale = normal(5);
    In dHeads = normal(2, 3, 5);
    d = apply(new RmsNormGradientOp(0.1), heads, scale, dHeads).outputs();
    for (int by = 0; by < 2; by++) {
      assertDerivative(
          new RmsNormOp(0.1), new In[] {heads, scale}, by, dHeads.elements(), d.get(by));
    }
  }

  @ParameterizedTest
  @EnumSource
  void activations(UnaryOp.Kind kind) {
    In x = normal(4, 5);
    In up = normal(4, 5);
    In dy = normal(4, 5);
    double[] y = apply(new UnaryOp(kind), x).output();
    In saved = kind.gradientFromOutput() ? real(y, 4, 5) : x;
    assertDerivative(
        new UnaryOp(kind),
        new In[] {x},
        0,
        dy.elements(),
        apply(new UnaryGradientOp(kind), saved, dy).output());
    List<double[]> d = apply(new GluGradientOp(kind), x, up, dy).outputs();
    for (int by = 0; by < 2; by++) {
      assertDerivative(new GluOp(kind), new In[] {x, up}, by, dy.elements(), d.get(by));
    }
  }

  /** Values of the normal distribution from tables. */
  @Test
  void geluAgreesWithTables() {
    double[] x = {-6, -3, -1, 0, 0.5, 1, 2, 4};
    double[] cdf = {
      9.865876450376981e-10,
      0.0013498980316300945,
      0.15865525393145705,
      0.5,
      0.6914624612740131,
      0.8413447460685429,
      0.9772498680518208,
      0.9999683287581669
    };
    double[] y = apply(new UnaryOp(UnaryOp.Kind.GELU), real(x, x.length)).output();
    for (int i = 0; i < x.length; i++) {
      assertThat(y[i]).isCloseTo(x[i] * cdf[i], within(1e-12 * Math.abs(x[i] * cdf[i]) + 1e-300));
    }
  }

  @Test
  void rope() {
    In x = normal(3, 10);
    In positions = ints(new int[] {0, 5, 2}, 3);
    In frequencies = real(new double[] {1, 0.3}, 2);
    for (boolean interleaved : new boolean[] {true, false}) {
      RopeOp op = new RopeOp(2, 5, 4, interleaved, 1.3, false);
      In dy = normal(3, 10);
      RopeOp back = new RopeOp(2, 5, 4, interleaved, 1.3, true);
      assertDerivative(
          op,
          new In[] {x, positions, frequencies},
          0,
          dy.elements(),
          apply(back, dy, positions, frequencies).output());
    }
  }

  static List<Mask> masks() {
    return List.of(
        Mask.causal(),
        Mask.bidirectional(),
        new Mask(1, 0, 0),
        new Mask(2, 1, 0),
        new Mask(0, 3, 0),
        new Mask(Mask.ALL, 0, 0.7),
        new Mask(2, 2, 3));
  }

  @ParameterizedTest
  @MethodSource("masks")
  void attention(Mask mask) {
    AttentionOp op = new AttentionOp(4, 2, 3, 0.6, mask);
    In q = normal(7, 12);
    In k = normal(7, 6);
    In v = normal(7, 6);
    In offsets = ints(new int[] {0, 2, 2, 7}, 4);
    In dy = normal(7, 12);
    int[] sequence = {0, 0, 2, 2, 2, 2, 2};
    double[] expected = new double[7 * 12];
    for (int t = 0; t < 7; t++) {
      for (int h = 0; h < 4; h++) {
        double total = 0;
        double[] sum = new double[3];
        for (int s = 0; s < 7; s++) {
          if (sequence[s] != sequence[t]
              || s < (long) t - mask.before()
              || s > (long) t + mask.after()) {
            continue;
          }
          double score = 0;
          for (int d = 0; d < 3; d++) {
            score += 0.6 * q.elements()[t * 12 + h * 3 + d] * k.elements()[s * 6 + h / 2 * 3 + d];
          }
          if (mask.softCap() > 0) {
            score = mask.softCap() * Math.tanh(score / mask.softCap());
          }
          total += Math.exp(score);
          for (int d = 0; d < 3; d++) {
            sum[d] += Math.exp(score) * v.elements()[s * 6 + h / 2 * 3 + d];
          }
        }
        for (int d = 0; d < 3; d++) {
          expected[t * 12 + h * 3 + d] = sum[d] / total;
        }
      }
    }
    In[] inputs = {q, k, v, offsets};
    assertThat(apply(op, inputs).output()).containsExactly(expected, within(1e-13));
    List<double[]> d = apply(new AttentionGradientOp(op), q, k, v, offsets, dy).outputs();
    for (int by = 0; by < 3; by++) {
      assertDerivative(op, inputs, by, dy.elements(), d.get(by));
    }
    // The last three tokens of the second sequence ask the same keys, at their places.
    double[] last = Arrays.copyOfRange(q.elements(), 4 * 12, 7 * 12);
    double[] few =
        apply(
                op,
                real(last, 3, 12),
                k,
                v,
                ints(new int[] {0, 3}, 2),
                ints(new int[] {2}, 1),
                ints(new int[] {7}, 1))
            .output();
    assertThat(few).containsExactly(Arrays.copyOfRange(expected, 4 * 12, 7 * 12), within(1e-13));
  }

  /** Rows with some, one, all and none of their elements; what is absent is not even a number. */
  @Test
  void attentionPooling() {
    AttentionPoolingOp op = new AttentionPoolingOp();
    In q = normal(4, 3);
    In x = normal(4, 15);
    double[] there = {1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0};
    double[] expected = new double[4 * 3];
    double[] weights = new double[4 * 5];
    for (int r = 0; r < 4; r++) {
      double total = 0;
      for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < 5; k++) {
          int at = r * 5 + k;
          if (there[at] == 0) {
            Arrays.fill(x.elements(), at * 3, at * 3 + 3, Double.NaN);
            continue;
          }
          double score = 0;
          for (int d = 0; d < 3; d++) {
            score += q.elements()[r * 3 + d] * x.elements()[at * 3 + d];
          }
          if (pass == 0) {
            total += Math.exp(score);
            continue;
          }
          weights[at] = Math.exp(score) / total;
          for (int d = 0; d < 3; d++) {
            expected[r * 3 + d] += weights[at] * x.elements()[at * 3 + d];
          }
        }
      }
    }
    In[] inputs = {q, x, real(there, 4, 5)};
    List<double[]> outputs = apply(op, inputs).outputs();
    assertThat(outputs.get(0)).containsExactly(expected, within(1e-13));
    assertThat(outputs.get(1)).containsExactly(weights, within(1e-13));

    In dy = normal(4, 3);
    In a = real(weights, 4, 5);
    In y = real(expected, 4, 3);
    List<double[]> d = apply(new AttentionPoolingGradientOp(), q, x, a, y, dy).outputs();
    assertDerivative(op, inputs, 0, dy.elements(), d.get(0));
    assertDerivative(op, inputs, 1, dy.elements(), d.get(1));
  }

  /** Scores far from 0 and from each other. */
  @Test
  void attentionPoolingDoesNotOverflow() {
    double[] x = {-4000, 3000, 3000, 2000};
    List<double[]> outputs =
        apply(
                new AttentionPoolingOp(),
                real(new double[] {1}, 1, 1),
                real(x, 1, 4),
                real(new double[] {1, 1, 1, 1}, 1, 4))
            .outputs();
    assertThat(outputs.get(0)).containsExactly(3000);
    assertThat(outputs.get(1)).containsExactly(0, 0.5, 0.5, 0);
  }
}
