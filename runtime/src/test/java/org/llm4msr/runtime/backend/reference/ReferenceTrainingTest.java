package org.llm4msr.runtime.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.llm4msr.runtime.backend.reference.Applied.apply;
import static org.llm4msr.runtime.backend.reference.Applied.ints;
import static org.llm4msr.runtime.backend.reference.Applied.real;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.backend.reference.Applied.In;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.BceWithLogitsOp;
import org.llm4msr.runtime.op.ClipFactorOp;
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.SparseAdamOp;

/**
 * The operators of training on the oracle: loss, optimisers, clipping and dropout, as {@link
 * ReferenceBackendTest} does it.
 */
class ReferenceTrainingTest {
  private static final double EXACT = 1e-13;

  private static void assertClose(double[] actual, double... expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], within(EXACT));
    }
  }

  @Test
  void binaryCrossEntropy() {
    double[] y = {0.3, -1.2, 2};
    double[] labels = {1, 0.25, 0};
    double[] weights = {1, 2, 0.5};
    double expected = 0;
    for (int i = 0; i < 3; i++) {
      double p = 1 / (1 + Math.exp(-y[i]));
      double entropy = -labels[i] * Math.log(p) - (1 - labels[i]) * Math.log(1 - p);
      expected += weights[i] * entropy / 3;
    }
    BceWithLogitsOp op = new BceWithLogitsOp(true);
    assertClose(apply(op, real(y, 3), real(labels, 3), real(weights, 3)).output(), expected);
    BceWithLogitsOp plain = new BceWithLogitsOp(false);
    assertClose(
        apply(plain, real(new double[] {-1000, 1000}, 2, 1), real(new double[] {1, 0}, 2)).output(),
        1000);
    assertClose(apply(plain, real(new double[0], 0), real(new double[0], 0)).output(), 0);
  }

  @Test
  void adamMovesByTheLearningRateInItsFirstStep() {
    // In the first step the corrected moments are g and g^2, so p moves by lr * g / (|g| + eps).
    double[] p = {1, -1};
    AdamOp op = new AdamOp(0.9, 0.999, 0, 0.5);
    Applied applied =
        apply(
            op,
            real(p, 2),
            real(new double[2], 2),
            real(new double[2], 2),
            real(new double[] {3, 0.25}, 2),
            real(new double[] {0.01, 1}, 2));
    // With decay the gradients are 3.5 and -0.25.
    assertClose(applied.inputs().get(0), 0.99, -0.99);
    assertClose(applied.inputs().get(1), 0.35, -0.025);
    assertClose(applied.inputs().get(2), 0.01225, 0.0000625);
  }

  @Test
  void exactSparseAdamMovesUnlistedRowsToo() {
    double[] p = {1, 2, 3};
    double[] m = {0.5, -0.25, 0.125};
    double[] v = {0.04, 0.09, 0.16};
    double[] step = {0.01, 3};
    SparseAdamOp sparse = new SparseAdamOp(0.9, 0.99, 1e-6, 0.1, false);
    Applied dense =
        apply(
            new AdamOp(0.9, 0.99, 1e-6, 0.1),
            real(p, 3, 1),
            real(m, 3, 1),
            real(v, 3, 1),
            real(new double[] {0, 0.7, 0}, 3, 1),
            real(step, 2));
    Applied listed = sparseStep(sparse, p, m, v, step);
    for (int i = 0; i < 3; i++) {
      assertClose(listed.inputs().get(i), dense.inputs().get(i));
    }
    assertThat(listed.inputs().get(0)[0]).isNotEqualTo(1);
  }

  @Test
  void lazyAdamMovesListedRowsOnly() {
    double[] p = {1, 2, 3};
    double[] m = {0.5, -0.25, 0.125};
    double[] v = {0.04, 0.09, 0.16};
    double[] step = {0.01, 3};
    Applied lazy = sparseStep(new SparseAdamOp(0.9, 0.99, 1e-6, 0.1, true), p, m, v, step);
    double g = 0.7 + 0.1 * 2;
    double m1 = 0.9 * -0.25 + 0.1 * g;
    double v1 = 0.99 * 0.09 + 0.01 * g * g;
    double rate = 0.01 * Math.sqrt(1 - 0.99 * 0.99 * 0.99) / (1 - 0.9 * 0.9 * 0.9);
    assertClose(lazy.inputs().get(0), 1, 2 - rate * m1 / (Math.sqrt(v1) + 1e-6), 3);
    assertClose(lazy.inputs().get(1), 0.5, m1, 0.125);
    assertClose(lazy.inputs().get(2), 0.04, v1, 0.16);
  }

  /** Row 1 is listed with gradient 0.7. */
  private static Applied sparseStep(
      SparseAdamOp op, double[] p, double[] m, double[] v, double[] step) {
    return apply(
        op,
        real(p, 3, 1),
        real(m, 3, 1),
        real(v, 3, 1),
        ints(new int[] {1, -1}, 2),
        ints(new int[] {1}, 1),
        real(new double[] {0.7, Double.NaN}, 2, 1),
        real(step, 2));
  }

  @Test
  void gradientsAreClippedByTheirCommonNorm() {
    In sparse = real(new double[] {4, 0, 99, 99}, 2, 2);
    In count = ints(new int[] {1}, 1);
    double[] factor = apply(new ClipFactorOp(1), real(new double[] {3}, 1), count, sparse).output();
    assertThat(factor).containsExactly(0.2);
    factor = apply(new ClipFactorOp(6), real(new double[] {3}, 1), count, sparse).output();
    assertThat(factor).containsExactly(1);
  }

  @Test
  void dropoutDropsItsShareAndKeepsTheMean() {
    double[] ones = new double[100_000];
    Arrays.fill(ones, 1);
    In x = real(ones, ones.length);
    DropoutOp op = new DropoutOp(0.3, 5);
    double[] first = apply(op, x, real(new double[] {0.1, 1}, 2)).output();
    double[] second = apply(op, x, real(new double[] {0.1, 2}, 2)).output();
    for (double[] y : List.of(first, second)) {
      assertThat(Arrays.stream(y).distinct().sorted().toArray()).containsExactly(0, 1 / 0.7);
      // Five standard deviations of the mean.
      assertThat(Arrays.stream(y).average().orElseThrow()).isCloseTo(1, within(0.0105));
    }
    double together =
        IntStream.range(0, ones.length).filter(i -> first[i] == 0 && second[i] == 0).count();
    assertThat(together / ones.length).isCloseTo(0.09, within(0.005));
    assertThat(apply(op, x, real(new double[] {0.5, 1}, 2)).output()).isEqualTo(first);
  }
}
