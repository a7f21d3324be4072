package org.llm4msr.runtime.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Ops.Grouping;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.BceWithLogitsOp;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.PadOp;
import org.llm4msr.runtime.op.RopeOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Every differentiable operator against central differences in double. */
class GradientTest {
  private final GradientCheck check = new GradientCheck();

  @AfterEach
  void close() {
    check.close();
  }

  private Value apply(org.llm4msr.runtime.op.Op op, Value... inputs) {
    return check.graph.apply(op, inputs).get(0);
  }

  /** Seven rows in five groups: two, none, one, four, none. */
  private Grouping grouping() {
    return new Grouping(
        check.ints(new double[] {3, 0, 6, 5, 1, 2, 4}, 7),
        check.ints(new double[] {0, 2, 2, 3, 7, 7}, 6));
  }

  static Stream<Arguments> matmuls() {
    Stream.Builder<Arguments> all = Stream.builder();
    for (boolean transposeA : new boolean[] {false, true}) {
      for (boolean transposeB : new boolean[] {false, true}) {
        for (boolean bias : new boolean[] {false, true}) {
          for (boolean residual : new boolean[] {false, true}) {
            for (UnaryOp.Kind kind : fusable()) {
              all.add(Arguments.of(new MatMulOp(transposeA, transposeB, bias, residual, kind)));
            }
          }
        }
      }
    }
    return all.build();
  }

  private static UnaryOp.Kind[] fusable() {
    return new UnaryOp.Kind[] {null, UnaryOp.Kind.RELU, UnaryOp.Kind.SIGMOID, UnaryOp.Kind.TANH};
  }

  @ParameterizedTest
  @MethodSource("matmuls")
  void matmul(MatMulOp op) {
    Value a = op.transposeA() ? check.variable(3, 4) : check.variable(4, 3);
    Value b = op.transposeB() ? check.variable(5, 3) : check.variable(3, 5);
    Stream.Builder<Value> inputs = Stream.<Value>builder().add(a).add(b);
    if (op.hasBias()) {
      inputs.add(check.variable(5));
    }
    if (op.hasResidual()) {
      inputs.add(check.variable(4, 5));
    }
    check.check(apply(op, inputs.build().toArray(Value[]::new)));
  }

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"BF16", "F16", "F32"})
  void matmulWithFrozenNarrowWeights(DType dtype) {
    Value weight = check.fixed(dtype, null, 5, 3);
    Value a = check.variable(4, 3);
    check.check(apply(new MatMulOp(false, true, false, false, null), a, weight));
  }

  @Test
  void fusedSiluIsRefused() {
    Value y =
        apply(
            new MatMulOp(false, false, false, false, UnaryOp.Kind.SILU),
            check.variable(4, 3),
            check.variable(3, 5));
    assertThatThrownBy(() -> check.check(y))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("SILU");
  }

  static Stream<Arguments> groupedMatmuls() {
    Stream.Builder<Arguments> all = Stream.builder();
    for (boolean transposeW : new boolean[] {false, true}) {
      for (boolean bias : new boolean[] {false, true}) {
        for (UnaryOp.Kind kind : fusable()) {
          all.add(Arguments.of(new GroupedMatMulOp(transposeW, bias, kind)));
        }
      }
    }
    return all.build();
  }

  @ParameterizedTest
  @MethodSource("groupedMatmuls")
  void groupedMatmul(GroupedMatMulOp op) {
    Value x = check.variable(7, 3);
    Value w = op.transposeW() ? check.variable(5, 4, 3) : check.variable(5, 3, 4);
    Value bias = op.hasBias() ? check.variable(5, 4) : null;
    check.check(Ops.groupedLinear(x, w, op.transposeW(), bias, grouping(), op.activation()));
  }

  @Test
  void gather() {
    Value table = check.variable(6, 3);
    check.check(Ops.gather(table, check.ints(new double[] {5, 0, 5, 2, 5}, 5)));
  }

  @Test
  void embeddings() {
    Value ids = check.ints(new double[] {1, 0, 3, 1, 2, 3, 0, 0, 1, 1, 2, 0}, 4, 3);
    Value a = check.variable(2, 2);
    Value b = check.variable(3, 1);
    Value c = check.variable(5, 4);
    check.check(Ops.embeddings(ids, List.of(a, b, c)));
  }

  @Test
  void tableThatTwoFieldsShare() {
    Value ids = check.ints(new double[] {1, 0, 0, 1, 2, 2}, 3, 2);
    Value table = check.variable(4, 2);
    check.check(Ops.embeddings(ids, List.of(table, table)));
  }

  @Test
  void tableThatIsLookedUpAndUsedDensely() {
    Value table = check.variable(4, 3);
    Value rows = Ops.gather(table, check.ints(new double[] {2, 2, 0}, 3));
    check.check(Ops.matmul(rows, Ops.reshape(table, Dim.of(3), Dim.of(4))));
  }

  @Test
  void lookedUpTableHasSparseGradient() {
    Value table = check.variable(6, 3);
    Value y = Ops.gather(table, check.ints(new double[] {5, 0}, 2));
    Value loss =
        Ops.matmul(Ops.reshape(y, Dim.of(1), Dim.of(6)), check.graph.constant(new double[6], 6, 1));
    Map<Value, Gradient> gradients = Autodiff.gradients(loss, List.of(table));
    assertThat(gradients.get(table)).isInstanceOf(Gradient.SparseRows.class);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "4, 5", "3, 1"})
  void rmsNorm(int rows, int width) {
    check.check(Ops.rmsNorm(check.variable(rows, width), check.variable(width), 0.1));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void groupedBatchNorm(boolean training) {
    Value x = check.variable(7, 3);
    Value scale = check.variable(5, 3);
    Value shift = check.variable(5, 3);
    Value mean = check.fixed(DType.F64, null, 5, 3);
    Value variance = check.fixed(DType.F64, check.random.doubles(15, 0.5, 2).toArray(), 5, 3);
    Grouping groups = grouping();
    check.check(
        apply(
            new GroupedBatchNormOp(1e-5, 0.1, training),
            x,
            groups.order(),
            groups.offsets(),
            scale,
            shift,
            mean,
            variance));
  }

  @ParameterizedTest
  @CsvSource({"false, false", "true, false", "false, true", "true, true"})
  void rope(boolean interleaved, boolean inverse) {
    RopeOp op = new RopeOp(2, 7, 4, interleaved, inverse);
    Value positions = check.ints(new double[] {0, 1, 17}, 3);
    Value frequencies = check.fixed(DType.F64, new double[] {1, 0.1}, 2);
    check.check(apply(op, check.variable(3, 14), positions, frequencies));
  }

  @ParameterizedTest
  @CsvSource({"4, 4, true", "4, 2, true", "4, 1, false", "3, 3, false", "6, 3, true"})
  void attention(int heads, int kvHeads, boolean causal) {
    AttentionOp op = new AttentionOp(heads, kvHeads, 3, 0.7, causal);
    Value q = check.variable(7, 3L * heads);
    Value k = check.variable(7, 3L * kvHeads);
    Value v = check.variable(7, 3L * kvHeads);
    Value offsets = check.ints(new double[] {0, 1, 1, 7}, 4);
    check.check(Ops.attention(q, k, v, offsets, op));
  }

  @ParameterizedTest
  @EnumSource(UnaryOp.Kind.class)
  void unary(UnaryOp.Kind kind) {
    check.check(apply(new UnaryOp(kind), check.variable(3, 5)));
  }

  @ParameterizedTest
  @EnumSource(BinaryOp.Kind.class)
  void binaryWithBroadcasting(BinaryOp.Kind kind) {
    long[][][] pairs = {
      {{4, 3}, {4, 3}},
      {{4, 3}, {3}},
      {{4, 3}, {4, 1}},
      {{4, 1}, {1, 3}},
      {{1}, {4, 3}},
      {{2, 4, 3}, {4, 1}},
      {{2, 1, 3}, {1, 4, 1}},
      {{2, 2, 4, 3}, {2, 1, 3}},
      {{1, 1}, {1}}
    };
    for (long[][] pair : pairs) {
      try (GradientCheck one = new GradientCheck()) {
        Value a = one.variable(pair[0]);
        Value b = one.variableBetween(0.5, 2, pair[1]);
        one.check(one.graph.apply(new BinaryOp(kind), a, b).get(0));
      }
    }
  }

  @Test
  void scale() {
    check.check(Ops.scale(check.variable(3, 2), -1.5, 4));
  }

  @Test
  void swiGlu() {
    check.check(Ops.swiGlu(check.variable(3, 4), check.variable(3, 4)));
  }

  @Test
  void softmax() {
    check.check(Ops.softmax(check.variable(3, 4)));
  }

  @Test
  void concatSlicePadReshape() {
    Value joined = Ops.concat(check.variable(4, 2), check.variable(4, 3), check.variable(4, 1));
    Value part = Ops.slice(joined, 1, 5);
    Value padded = apply(new PadOp(2, 7), part);
    check.check(Ops.reshape(padded, Dim.of(2), Dim.of(2), Dim.of(7)));
  }

  @ParameterizedTest
  @CsvSource({"1, false", "2, false", "1, true", "2, true"})
  void bceWithLogits(int rank, boolean weighted) {
    Value logits = rank == 1 ? check.variable(5) : check.variable(5, 1);
    Value labels = check.fixed(DType.F64, new double[] {0, 1, 1, 0.25, 0}, 5);
    Value weights = check.fixed(DType.F64, new double[] {1, 0, 2.5, 0.5, 1}, 5);
    BceWithLogitsOp op = new BceWithLogitsOp(weighted);
    check.checkLoss(weighted ? apply(op, logits, labels, weights) : apply(op, logits, labels));
  }

  @Test
  void valueUsedTwice() {
    Value x = check.variable(3, 3);
    Value square = Ops.mul(x, x);
    check.check(Ops.add(Ops.matmul(square, x), Ops.sub(x, square)));
  }

  @Test
  void severalLayers() {
    Value x = check.variable(4, 3);
    Value hidden = Ops.linear(x, check.variable(6, 3), check.variable(6), UnaryOp.Kind.TANH);
    Value normed = Ops.rmsNorm(hidden, check.variable(6), 1e-6);
    Value logits =
        Ops.linearResidual(normed, check.variable(1, 6), check.variable(1), Ops.slice(x, 0, 1));
    Value labels = check.fixed(DType.F64, new double[] {0, 1, 1, 0}, 4);
    check.checkLoss(Ops.bceWithLogits(logits, labels));
  }

  @Test
  void valueThatDoesNotInfluenceTheLossHasNoGradient() {
    Value x = check.variable(1, 1);
    Value other = check.variable(1, 1);
    Value loss = Ops.mul(x, x);
    Ops.mul(other, x);
    assertThat(Autodiff.gradients(loss, List.of(x, other))).containsOnlyKeys(x);
  }

  @Test
  void onlyOneNumberCanBeTheLoss() {
    Value x = check.variable(2, 2);
    assertThatThrownBy(() -> Autodiff.gradients(x, List.of(x)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("one number");
  }
}
