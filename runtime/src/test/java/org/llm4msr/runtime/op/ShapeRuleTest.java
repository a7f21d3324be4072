package org.llm4msr.runtime.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.conformance.Cases;
import org.llm4msr.runtime.conformance.ConformanceCase;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;

/** What does not fit an operator's shape rule is refused in a message that names the operator. */
class ShapeRuleTest {
  private static final Dim R = Dim.symbol("R", 8);
  private static final Dim S = Dim.symbol("S", 8);
  private static final Dim G = Dim.of(3);

  private static ValueType real(Object... dims) {
    return type(DType.F32, dims);
  }

  private static ValueType ids(Object... dims) {
    return type(DType.I32, dims);
  }

  private static ValueType type(DType dtype, Object... dims) {
    return new ValueType(
        dtype,
        Stream.of(dims).map(dim -> dim instanceof Dim d ? d : Dim.of((Integer) dim)).toList());
  }

  private static Arguments bad(String why, Op op, ValueType... inputs) {
    return Arguments.of(why, op, List.of(inputs));
  }

  static Stream<Arguments> wrong() {
    MatMulOp matmul = new MatMulOp(false, false, true, true, null);
    GroupedMatMulOp grouped = new GroupedMatMulOp(false, true, null);
    GroupedBatchNormOp norm = new GroupedBatchNormOp(1e-5, 0.1, true);
    AttentionOp attention = new AttentionOp(4, 2, 8, 1, true);
    RopeOp rope = new RopeOp(2, 8, 4, false, false);
    AdamOp adam = new AdamOp(0.9, 0.999, 1e-8, 0);
    SparseAdamOp lazy = new SparseAdamOp(0.9, 0.999, 1e-8, 0, true);
    ValueType f64 = type(DType.F64, 2);
    return Stream.of(
        bad("inner extents", matmul, real(R, 3), real(4, 5), real(5), real(R, 5)),
        bad("bias", matmul, real(R, 3), real(3, 5), real(4), real(R, 5)),
        bad("residual rows", matmul, real(R, 3), real(3, 5), real(5), real(S, 5)),
        bad("mixed types", matmul, real(R, 3), real(3, 5), type(DType.F64, 5), real(R, 5)),
        bad(
            "A is narrow",
            new MatMulOp(false, false, false, false, null),
            type(DType.BF16, R, 3),
            real(3, 5)),
        bad("other symbol", new MatMulOp(true, false, false, false, null), real(R, 3), real(S, 5)),
        bad("groups", grouped, real(R, 2), real(4, 2, 5), ids(R), ids(4), real(4, 5)),
        bad("bias", grouped, real(R, 2), real(3, 2, 5), ids(R), ids(4), real(2, 5)),
        bad("order", grouped, real(R, 2), real(3, 2, 5), ids(S), ids(4), real(3, 5)),
        bad("inner", grouped, real(R, 2), real(3, 5, 2), ids(R), ids(4), real(3, 2)),
        bad("rows", new GroupedWeightGradientOp(false, G), real(R, 2), real(S, 3), ids(R), ids(4)),
        bad("offsets", new GroupedSumOp(G, false), real(R, 2), ids(R), ids(3)),
        bad("real ids", new GatherOp(DType.F32), real(9, 4), real(R)),
        bad("ids of rank 2", new GatherOp(DType.F32), real(9, 4), ids(R, 1)),
        bad("fields", new EmbeddingConcatOp(), ids(R, 3), real(9, 4), real(8, 2)),
        bad("narrow table", new EmbeddingConcatOp(), ids(R, 1), type(DType.BF16, 9, 4)),
        bad("column", new SparseRowGradientOp(2, 0, 4, 9), ids(R, 2), real(R, 8)),
        bad("columns of dy", new SparseRowGradientOp(0, 5, 4, 9), ids(R, 2), real(R, 8)),
        bad("count", new SparseToDenseOp(9), ids(4), ids(2), real(4, 3)),
        bad("weight", new RmsNormOp(1e-6), real(R, 4), real(5)),
        bad("dy", new RmsNormGradientOp(1e-6), real(R, 4), real(4), real(S, 4)),
        bad(
            "scale",
            norm,
            real(R, 2),
            ids(R),
            ids(4),
            real(3, 1),
            real(3, 2),
            real(3, 2),
            real(3, 2)),
        bad(
            "variance",
            norm,
            real(R, 2),
            ids(R),
            ids(4),
            real(3, 2),
            real(3, 2),
            real(3, 2),
            real(4, 2)),
        bad(
            "dy",
            new GroupedBatchNormGradientOp(true),
            real(R, 2),
            ids(R),
            ids(4),
            real(3, 2),
            real(3, 2),
            real(3, 2),
            real(S, 2)),
        bad("width", rope, real(R, 15), ids(R), real(2)),
        bad("frequencies", rope, real(R, 16), ids(R), real(4)),
        bad("odd", new RopeOp(2, 8, 3, false, false), real(R, 16), ids(R), real(1)),
        bad("more than a head", new RopeOp(2, 8, 10, false, false), real(R, 16), ids(R), real(5)),
        bad("key heads", attention, real(R, 32), real(R, 32), real(R, 32), ids(S)),
        bad("keys", attention, real(R, 32), real(S, 16), real(S, 16), ids(S)),
        bad(
            "dout",
            new AttentionGradientOp(attention),
            real(R, 32),
            real(R, 16),
            real(R, 16),
            ids(S),
            real(R, 16)),
        bad("not real", new UnaryOp(UnaryOp.Kind.TANH), ids(R)),
        bad("dy", new UnaryGradientOp(UnaryOp.Kind.RELU), real(R), real(S)),
        bad("extents", new BinaryOp(BinaryOp.Kind.ADD), real(R, 4), real(R, 3)),
        bad("symbols", new BinaryOp(BinaryOp.Kind.MUL), real(R), real(S)),
        bad("rank", new BinaryOp(BinaryOp.Kind.SUB), real(1, 1, 1, 1, 1), real(1)),
        bad("types", new BinaryOp(BinaryOp.Kind.DIV), real(3), type(DType.F64, 3)),
        bad("rank", new SumToOp(List.of(R, Dim.of(3))), real(3)),
        bad("extent", new SumToOp(List.of(Dim.of(4))), real(R, 3)),
        bad("shapes", new SwiGluOp(), real(R, 3), real(R, 4)),
        bad("shapes", new SwiGluGradientOp(), real(R, 3), real(R, 3), real(R, 4)),
        bad("rank", new SoftmaxOp(), real(R)),
        bad("shapes", new SoftmaxGradientOp(), real(R, 3), real(R, 4)),
        bad("rows", new ConcatOp(), real(R, 3), real(S, 3)),
        bad("none", new ConcatOp()),
        bad("varying width", new ConcatOp(), real(3, R)),
        bad("columns", new SliceOp(2, 5), real(R, 4)),
        bad("no columns", new SliceOp(2, 2), real(R, 4)),
        bad("varying width", new SliceOp(0, 2), real(4, R)),
        bad("width", new PadOp(3, 6), real(R, 4)),
        bad("before the first column", new PadOp(-1, 6), real(R, 4)),
        bad("varying width", new PadOp(0, 6), real(4, R)),
        bad("elements", new ReshapeOp(List.of(R, Dim.of(5))), real(R, 2, 3)),
        bad("symbols", new ReshapeOp(List.of(S, Dim.of(6))), real(R, 2, 3)),
        bad("columns", new BceWithLogitsOp(false), real(R, 2), real(R)),
        bad("labels", new BceWithLogitsOp(false), real(R), real(S)),
        bad("weights", new BceWithLogitsOp(true), real(R), real(R), real(S)),
        bad("dloss", new BceWithLogitsGradientOp(false), real(R), real(R), real(2)),
        bad("g", adam, real(3, 2), real(3, 2), real(3, 2), real(2, 3), f64),
        bad("rate in float", adam, real(3, 2), real(3, 2), real(3, 2), real(3, 2), real(2)),
        bad("values", lazy, real(9, 2), real(9, 2), real(9, 2), ids(4), ids(1), real(4, 3), f64),
        bad("m", lazy, real(9, 2), real(8, 2), real(9, 2), ids(4), ids(1), real(4, 2), f64));
  }

  @ParameterizedTest(name = "{1}: {0}")
  @MethodSource("wrong")
  void refusesWhatDoesNotFit(String why, Op op, List<ValueType> inputs) {
    assertThatThrownBy(() -> op.infer(inputs))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(op.name());
  }

  @Test
  void refusesWrongCountsAndBytesEverywhere() {
    for (ConformanceCase one : Cases.all()) {
      List<ValueType> types = one.inputs().stream().map(ConformanceCase.Input::type).toList();
      if (one.op() instanceof ReshapeOp) {
        continue; // Moves elements of any type.
      }
      for (int i = 0; i < types.size(); i++) {
        refused(one.op(), with(types, i, new ValueType(DType.U8, types.get(i).dims())));
      }
      if (!(one.op() instanceof ConcatOp)) {
        refused(one.op(), types.subList(0, types.size() - 1));
        List<ValueType> more = new ArrayList<>(types);
        more.add(types.get(0));
        refused(one.op(), more);
      }
    }
  }

  private static void refused(Op op, List<ValueType> types) {
    assertThatThrownBy(() -> op.infer(types))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(op.name());
  }

  /** A random change either still fits or is refused properly; nothing else may happen. */
  @Test
  void randomChangesNeverEndInAnotherException() {
    Random random = new Random(5);
    for (ConformanceCase one : Cases.all()) {
      List<ValueType> types = one.inputs().stream().map(ConformanceCase.Input::type).toList();
      assertThat(catchThrowable(() -> one.op().infer(types))).as("%s", one).isNull();
      for (int trial = 0; trial < 20; trial++) {
        int i = random.nextInt(types.size());
        List<ValueType> changed = with(types, i, change(random, types.get(i)));
        Throwable thrown = catchThrowable(() -> one.op().infer(changed));
        if (thrown != null) {
          assertThat(thrown)
              .as("%s of %s", one.op(), changed)
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessageStartingWith(one.op().name());
        }
      }
    }
  }

  private static ValueType change(Random random, ValueType type) {
    List<Dim> dims = new ArrayList<>(type.dims());
    int axis = dims.isEmpty() ? 0 : random.nextInt(dims.size());
    switch (dims.isEmpty() ? 0 : random.nextInt(5)) {
      case 0 -> dims.add(axis, Dim.of(random.nextInt(3)));
      case 1 -> dims.remove(axis);
      case 2 -> dims.set(axis, Dim.of(dims.get(axis).max() + 1));
      case 3 -> dims.set(axis, Dim.symbol("X", dims.get(axis).max()));
      default -> {
        DType[] all = DType.values();
        return new ValueType(all[random.nextInt(all.length)], dims);
      }
    }
    return new ValueType(type.dtype(), dims);
  }

  private static List<ValueType> with(List<ValueType> types, int index, ValueType type) {
    List<ValueType> changed = new ArrayList<>(types);
    changed.set(index, type);
    return changed;
  }
}
