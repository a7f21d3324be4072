package org.llm4msr.runtime.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.llm4msr.runtime.backend.reference.Applied.apply;
import static org.llm4msr.runtime.backend.reference.Applied.ints;
import static org.llm4msr.runtime.backend.reference.Applied.real;

import java.util.List;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.reference.Applied.In;
import org.llm4msr.runtime.conformance.TestOperand;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.AttentionOp.Mask;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.ConcatOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.GroupedSumOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MatVecOp;
import org.llm4msr.runtime.op.OuterProductOp;
import org.llm4msr.runtime.op.PadOp;
import org.llm4msr.runtime.op.RmsNormOp;
import org.llm4msr.runtime.op.RopeOp;
import org.llm4msr.runtime.op.ScaleOp;
import org.llm4msr.runtime.op.SliceOp;
import org.llm4msr.runtime.op.SoftmaxOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.SparseToDenseOp;
import org.llm4msr.runtime.op.SumToOp;
import org.llm4msr.runtime.op.TransposeOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * The oracle itself, against literal numbers and the formulas in the operators' documentation
 * written out again element by element. What {@link org.llm4msr.runtime.graph.GradientTest} covers,
 * the gradients, is not repeated here.
 */
class ReferenceBackendTest {
  private static final double EXACT = 1e-13;

  private final Random random = new Random(3);

  private double[] normal(int count) {
    return DoubleStream.generate(random::nextGaussian).limit(count).toArray();
  }

  private static void assertClose(double[] actual, double... expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).as("element %d", i).isCloseTo(expected[i], within(EXACT));
    }
  }

  @Test
  void matmulAddsBiasAndResidualBeforeTheActivation() {
    MatMulOp op = new MatMulOp(false, false, true, true, UnaryOp.Kind.RELU);
    In a = real(new double[] {1, 2, 3, 4}, 2, 2);
    In b = real(new double[] {5, 6, 7, 8}, 2, 2);
    In bias = real(new double[] {1, -30}, 2);
    In residual = real(new double[] {0.5, 0.25, -100, 4}, 2, 2);
    assertClose(apply(op, a, b, bias, residual).output(), 20.5, 0, 0, 24);
  }

  @ParameterizedTest
  @ValueSource(strings = {"BF16", "F16"})
  void matmulWidensNarrowWeights(DType dtype) {
    MatMulOp op = new MatMulOp(false, true, false, false, null);
    // Exact in both types.
    In b = new In(dtype, new double[] {1.5, -0.125, 96, 3}, 2, 2);
    In a = real(new double[] {1 + 1e-9, 2}, 1, 2);
    assertClose(apply(op, a, b).output(), 1.25 + 1.5e-9, 102 + 96e-9);
  }

  @Test
  void onlyWeightsMayBeQuantised() {
    ValueType type = ValueType.of(DType.Q8_0, 1, 32);
    try (ReferenceBackend backend = new ReferenceBackend();
        TestOperand a = new TestOperand(backend, ValueType.of(DType.F32, 1, 32));
        TestOperand b = new TestOperand(backend, type);
        TestOperand c = new TestOperand(backend, ValueType.of(DType.F32, 1, 1))) {
      MatMulOp op = new MatMulOp(false, true, true, false, null);
      assertThatThrownBy(() -> backend.kernel(op, List.of(a, b, b), List.of(c)))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("matmul")
          .hasMessageContaining("Q8_0");
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void groupedMatmulGivesEachRowItsGroupsMatrix(boolean transposed) {
    double[] x = normal(4 * 3);
    double[] w = normal(3 * 3 * 2);
    double[] bias = normal(3 * 2);
    // Group 0: rows 2 and 0; group 1: none; group 2: rows 1 and 3.
    int[] group = {0, 2, 0, 2};
    double[] expected = new double[4 * 2];
    for (int r = 0; r < 4; r++) {
      for (int n = 0; n < 2; n++) {
        double sum = bias[group[r] * 2 + n];
        for (int k = 0; k < 3; k++) {
          sum += x[r * 3 + k] * w[group[r] * 6 + (transposed ? n * 3 + k : k * 2 + n)];
        }
        expected[r * 2 + n] = Math.tanh(sum);
      }
    }
    Applied applied =
        apply(
            new GroupedMatMulOp(transposed, true, UnaryOp.Kind.TANH),
            real(x, 4, 3),
            transposed ? real(w, 3, 2, 3) : real(w, 3, 3, 2),
            ints(new int[] {2, 0, 1, 3}, 4),
            ints(new int[] {0, 2, 2, 4}, 4),
            real(bias, 3, 2));
    assertClose(applied.output(), expected);
  }

  @Test
  void groupedSumAndMean() {
    In x = real(new double[] {1, 10, 2, 20, 4, 40}, 3, 2);
    In order = ints(new int[] {2, 0, 1}, 3);
    In offsets = ints(new int[] {0, 2, 2, 3}, 4);
    Dim groups = Dim.of(3);
    assertClose(
        apply(new GroupedSumOp(groups, false), x, order, offsets).output(), 5, 50, 0, 0, 2, 20);
    assertClose(
        apply(new GroupedSumOp(groups, true), x, order, offsets).output(), 2.5, 25, 0, 0, 2, 20);
  }

  @Test
  void aRowMayBeInOneGroupOnly() {
    In x = real(normal(4), 2, 2);
    assertThatThrownBy(() ->
            apply(
                new GroupedSumOp(Dim.of(1), false),
                x,
                ints(new int[] {1, 1}, 2),
                ints(new int[] {0, 2}, 2)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("groupedSum: row 1 is in order twice");
  }

  @Test
  void lookUps() {
    In table = real(new double[] {1, 2, 3, 4, 5, 6}, 3, 2);
    In other = real(new double[] {7, 8}, 2, 1);
    assertClose(
        apply(new GatherOp(DType.F64), table, ints(new int[] {2, 0, 2}, 3)).output(),
        5,
        6,
        1,
        2,
        5,
        6);
    assertClose(
        apply(new EmbeddingConcatOp(), ints(new int[] {1, 1, 2, 0}, 2, 2), table, other).output(),
        3,
        4,
        8,
        5,
        6,
        7);
  }

  @Test
  void sparseRowsAreDistinctAscendingAndSummed() {
    Applied applied =
        apply(
            new SparseRowGradientOp(1, 1, 2, 9),
            ints(new int[] {0, 7, 0, 3, 0, 7}, 3, 2),
            real(new double[] {-1, 1, 2, -1, 3, 4, -1, 5, 6}, 3, 3));
    assertThat(applied.outputs().get(1)).containsExactly(2);
    assertThat(applied.outputs().get(0)).startsWith(3, 7);
    assertThat(applied.outputs().get(2)).startsWith(3, 4, 6, 8);
  }

  @Test
  void sparseRowsOfASharedTableSumOverAllColumns() {
    Applied applied =
        apply(
            SparseRowGradientOp.ofAllColumns(2, 9),
            ints(new int[] {7, 3, 7, 7}, 2, 2),
            real(new double[] {1, 2, 3, 4, 5, 6, 7, 8}, 2, 4));
    assertThat(applied.outputs().get(1)).containsExactly(2);
    assertThat(applied.outputs().get(0)).startsWith(3, 7);
    assertThat(applied.outputs().get(2)).startsWith(3, 4, 13, 16);
  }

  @Test
  void sparseToDense() {
    Applied applied =
        apply(
            new SparseToDenseOp(4),
            ints(new int[] {1, 3, -1}, 3),
            ints(new int[] {2}, 1),
            real(new double[] {1, 2, 3, 4, Double.NaN, Double.NaN}, 3, 2));
    assertClose(applied.output(), 0, 0, 1, 2, 0, 0, 3, 4);
  }

  @Test
  void rmsNorm() {
    // mean(x^2) + epsilon = 12.5 + 3.5 = 16.
    In x = real(new double[] {3, -4}, 1, 2);
    In weight = real(new double[] {2, 10}, 2);
    assertClose(apply(new RmsNormOp(3.5), x, weight).output(), 1.5, -10);
  }

  @Test
  void batchNormUsesAndMovesTheStatisticsOfEachGroup() {
    // Group 0: 1 and 5 (mean 3, biased variance 4, unbiased 8); group 1: 10 alone.
    In[] inputs = {
      real(new double[] {1, 10, 5}, 3, 1),
      ints(new int[] {0, 2, 1}, 3),
      ints(new int[] {0, 2, 3}, 3),
      real(new double[] {2, 3}, 2, 1),
      real(new double[] {100, 1000}, 2, 1),
      real(new double[] {7, 4}, 2, 1),
      real(new double[] {1, 9}, 2, 1)
    };
    Applied training = apply(new GroupedBatchNormOp(0, 0.25, true), inputs);
    assertClose(training.output(), 98, 1006, 102);
    assertClose(training.outputs().get(1), 3, 4);
    assertClose(training.outputs().get(2), 0.5, 1.0 / 3);
    assertClose(training.inputs().get(5), 6, 4);
    assertClose(training.inputs().get(6), 2.75, 9);
    Applied evaluation = apply(new GroupedBatchNormOp(0, 0.25, false), inputs);
    assertClose(evaluation.output(), 88, 1006, 96);
    assertClose(evaluation.inputs().get(5), 7, 4);
    assertClose(evaluation.inputs().get(6), 1, 9);
  }

  @Test
  void ropeTurnsPairsAndCopiesTheRest() {
    // A quarter turn for the first pair, a half turn for the second.
    In x = real(new double[] {1, 2, 3, 4, 5}, 1, 5);
    In positions = ints(new int[] {2}, 1);
    In frequencies = real(new double[] {Math.PI / 4, Math.PI / 2}, 2);
    assertClose(
        apply(new RopeOp(1, 5, 4, false, 1, false), x, positions, frequencies).output(),
        -3,
        -2,
        1,
        -4,
        5);
    assertClose(
        apply(new RopeOp(1, 5, 4, true, 1, false), x, positions, frequencies).output(),
        -2,
        1,
        -3,
        -4,
        5);
    assertClose(
        apply(new RopeOp(1, 5, 4, true, 1, true), x, positions, frequencies).output(),
        2,
        -1,
        -3,
        -4,
        5);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void attention(boolean causal) {
    int heads = 4;
    int kvHeads = 2;
    int dim = 3;
    int[] offsets = {0, 2, 2, 7};
    int[] sequence = {0, 0, 2, 2, 2, 2, 2};
    double[] q = normal(7 * heads * dim);
    double[] k = normal(7 * kvHeads * dim);
    double[] v = normal(7 * kvHeads * dim);
    double[] expected = new double[q.length];
    for (int t = 0; t < 7; t++) {
      for (int h = 0; h < heads; h++) {
        int kv = h / 2;
        double total = 0;
        double[] sum = new double[dim];
        for (int s = 0; s < 7; s++) {
          if (sequence[s] != sequence[t] || causal && s > t) {
            continue;
          }
          double score = 0;
          for (int d = 0; d < dim; d++) {
            score += q[(t * heads + h) * dim + d] * k[(s * kvHeads + kv) * dim + d];
          }
          double weight = Math.exp(0.6 * score);
          total += weight;
          for (int d = 0; d < dim; d++) {
            sum[d] += weight * v[(s * kvHeads + kv) * dim + d];
          }
        }
        for (int d = 0; d < dim; d++) {
          expected[(t * heads + h) * dim + d] = sum[d] / total;
        }
      }
    }
    Applied applied =
        apply(
            new AttentionOp(
                heads, kvHeads, dim, 0.6, causal ? Mask.causal() : Mask.bidirectional()),
            real(q, 7, heads * dim),
            real(k, 7, kvHeads * dim),
            real(v, 7, kvHeads * dim),
            ints(offsets, 4));
    assertClose(applied.output(), expected);
  }

  @Test
  void activations() {
    double[] x = {-800, -2, -0.5, 0, 0.5, 2, 800};
    assertActivation(UnaryOp.Kind.RELU, x, v -> v < 0 ? 0 : v);
    assertActivation(UnaryOp.Kind.SIGMOID, x, v -> (1 + Math.tanh(v / 2)) / 2);
    assertActivation(
        UnaryOp.Kind.TANH, x, v -> Math.signum(v) * (1 - 2 / (Math.exp(2 * Math.abs(v)) + 1)));
    assertActivation(UnaryOp.Kind.SILU, x, v -> v * (1 + Math.tanh(v / 2)) / 2);
  }

  private static void assertActivation(UnaryOp.Kind kind, double[] x, DoubleUnaryOperator f) {
    assertClose(
        apply(new UnaryOp(kind), real(x, x.length)).output(), DoubleStream.of(x).map(f).toArray());
  }

  @Test
  void arithmeticBroadcastsAsNumPyDoes() {
    In column = real(new double[] {1, 2}, 2, 1);
    In row = real(new double[] {10, 20, 40}, 3);
    assertClose(binary(BinaryOp.Kind.ADD, column, row), 11, 21, 41, 12, 22, 42);
    assertClose(binary(BinaryOp.Kind.SUB, row, column), 9, 19, 39, 8, 18, 38);
    assertClose(binary(BinaryOp.Kind.MUL, column, row), 10, 20, 40, 20, 40, 80);
    assertClose(binary(BinaryOp.Kind.DIV, row, column), 10, 20, 40, 5, 10, 20);
    In cube = real(new double[] {1, 2, 3, 4, 5, 6, 7, 8}, 2, 2, 2);
    In middle = real(new double[] {100, 200}, 2, 1);
    assertClose(binary(BinaryOp.Kind.ADD, cube, middle), 101, 102, 203, 204, 105, 106, 207, 208);
    In outer = real(new double[] {100, 200}, 2, 1, 1);
    assertClose(binary(BinaryOp.Kind.ADD, outer, cube), 101, 102, 103, 104, 205, 206, 207, 208);
  }

  private static double[] binary(BinaryOp.Kind kind, In a, In b) {
    return apply(new BinaryOp(kind), a, b).output();
  }

  @Test
  void sumToReversesBroadcasting() {
    In x = real(new double[] {1, 2, 3, 4, 5, 6, 7, 8}, 2, 2, 2);
    assertClose(sumTo(x, 2), 16, 20);
    assertClose(sumTo(x, 2, 1), 14, 22);
    assertClose(sumTo(x, 2, 1, 1), 10, 26);
    assertClose(sumTo(x, 1, 2, 2), 6, 8, 10, 12);
    assertClose(sumTo(x), 36);
  }

  private static double[] sumTo(In x, Integer... extents) {
    List<Dim> dims = List.of(extents).stream().map(Dim::of).toList();
    return apply(new SumToOp(dims), x).output();
  }

  @Test
  void softmaxOfLargeNumbers() {
    In x = real(new double[] {1000, 1000 + Math.log(3), -1000, 7, 7, 7}, 2, 3);
    assertClose(apply(new SoftmaxOp(), x).output(), 0.25, 0.75, 0, 1.0 / 3, 1.0 / 3, 1.0 / 3);
  }

  @Test
  void scaleGluAndLayout() {
    In x = real(new double[] {1, 2, 3, 4}, 2, 2);
    In y = real(new double[] {5, 6}, 2, 1);
    assertClose(apply(new ScaleOp(-2, 0.5), x).output(), -1.5, -3.5, -5.5, -7.5);
    // silu(ln 3) = ln 3 * 3/4.
    double gate = Math.log(3);
    assertClose(
        apply(
                new GluOp(UnaryOp.Kind.SILU),
                real(new double[] {gate}, 1, 1),
                real(new double[] {4}, 1, 1))
            .output(),
        3 * gate);
    assertClose(apply(new ConcatOp(), x, y, x).output(), 1, 2, 5, 1, 2, 3, 4, 6, 3, 4);
    assertClose(apply(new SliceOp(1, 2), x).output(), 2, 4);
    assertClose(apply(new PadOp(1, 4), x).output(), 0, 1, 2, 0, 0, 3, 4, 0);
  }

  @Test
  void productsWithAMatrixOfEachRowsOwn() {
    // [1 2 3; 4 5 6] and [0 1 0; 2 0 -1].
    In m = real(new double[] {1, 2, 3, 4, 5, 6, 0, 1, 0, 2, 0, -1}, 2, 6);
    In v = real(new double[] {1, 0, -1, 3, 2, 1}, 2, 3);
    assertClose(apply(new MatVecOp(), m, v).output(), -2, -2, 2, 5);
    In a = real(new double[] {2, -1, 0, 5}, 2, 2);
    assertClose(apply(new OuterProductOp(), a, v).output(), 2, 0, -2, -1, 0, 1, 0, 0, 0, 15, 10, 5);
    In stack = real(m.elements(), 2, 2, 3);
    assertClose(apply(new TransposeOp(), stack).output(), 1, 4, 2, 5, 3, 6, 0, 2, 1, 0, 0, -1);
  }
}
