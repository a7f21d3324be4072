package org.llm4msr.runtime.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.op.MatMulOp;

/** Products with weights that a backend may keep in a form of its own. */
class FrozenParametersTest {
  private static final int ROWS = 21;
  private static final int INNER = 70;
  private static final int COLUMNS = 45;

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16", "F16", "Q8_0"})
  void givesTheSameProductAndFreesWhatItKept(DType dtype) {
    try (Backend backend = Backends.openBest(new BackendOptions(2));
        Arena arena = Arena.ofConfined()) {
      int inner = dtype == DType.Q8_0 ? 96 : INNER;
      long open = AllocationTracker.openBytes();
      // Twice, with other weights at what is probably the same address.
      for (int seed = 1; seed <= 2; seed++) {
        MemorySegment weights = arena.allocate(dtype.byteSize((long) COLUMNS * inner), 64);
        fill(weights, dtype, seed, COLUMNS * inner);
        float[] plain = product(backend, dtype, weights, inner, false);
        assertThat(product(backend, dtype, weights, inner, true)).isEqualTo(plain);
        assertThat(AllocationTracker.openBytes()).isEqualTo(open);
      }
    }
  }

  private static void fill(MemorySegment weights, DType dtype, int seed, int count) {
    Random random = new Random(seed);
    for (long i = 0; dtype.isQuantised() && i < weights.byteSize(); i++) {
      // Whatever the scale's bits, neither infinite nor NaN.
      weights.set(ValueLayout.JAVA_BYTE, i, (byte) random.nextInt(64));
    }
    for (int i = 0; !dtype.isQuantised() && i < count; i++) {
      dtype.set(weights, i, random.nextDouble() - 0.5);
    }
  }

  private static float[] product(
      Backend backend, DType dtype, MemorySegment weights, int inner, boolean frozen) {
    Graph graph = new Graph(DType.F32);
    Dim rows = Dim.symbol("rows", 64);
    Value x = graph.input("x", rows, Dim.of(inner));
    Value w = graph.parameter("w", ValueType.of(dtype, Dim.of(COLUMNS), Dim.of(inner)));
    Value y = graph.apply(new MatMulOp(false, true, false, false, null), x, w).get(0);
    try (ParameterStore store = new ParameterStore(backend)) {
      Buffer buffer = backend.allocate(weights.byteSize(), "w");
      backend.upload(weights, buffer, 0);
      store.adopt("w", dtype, Shape.of(COLUMNS, inner), buffer);
      if (frozen) {
        store.freeze("w");
        store.freeze("w");
      }
      try (Plan plan = new Plan(backend, graph, store, List.of(y));
          Plan second = new Plan(backend, graph, store, List.of(y))) {
        float[] first = run(plan, rows, x, y, inner);
        assertThat(run(second, rows, x, y, inner)).isEqualTo(first);
        return first;
      }
    }
  }

  private static float[] run(Plan plan, Dim rows, Value x, Value y, int inner) {
    Random random = new Random(5);
    for (int i = 0; i < ROWS * inner; i++) {
      plan.input(x).setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat() - 0.5f);
    }
    plan.setExtent(rows, ROWS);
    plan.run();
    float[] result = new float[ROWS * COLUMNS];
    MemorySegment.copy(
        plan.output(y).segment(), ValueLayout.JAVA_FLOAT, 0, result, 0, result.length);
    return result;
  }
}
