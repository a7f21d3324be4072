package org.llm4msr.runtime.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.Frozen;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.op.MatMulOp;

/** Products with weights that a backend may keep in a form of its own. */
class FrozenParametersTest {
  private static final int ROWS = 21;
  private static final int INNER = 70;
  private static final int COLUMNS = 45;

  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16", "F16", "Q8_0"})
  void givesTheSameProductAndFreesWhatItKept(DType dtype) throws IOException {
    try (Backend backend = Backends.openBest(new BackendOptions(2))) {
      int inner = dtype == DType.Q8_0 ? 96 : INNER;
      long open = AllocationTracker.openBytes();
      // Twice, with other weights at what is probably the same address.
      for (int seed = 1; seed <= 2; seed++) {
        try (Arena arena = Arena.ofConfined()) {
          MemorySegment weights = mapped(arena, dtype, seed, inner);
          byte[] content = weights.toArray(ValueLayout.JAVA_BYTE);
          float[] plain = product(backend, dtype, weights, inner, false);
          assertThat(product(backend, dtype, weights, inner, true)).isEqualTo(plain);
          assertThat(AllocationTracker.openBytes()).isEqualTo(open);
          assertThat(weights.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(content);
        }
      }
    }
  }

  @Test
  void keepsWhatAnotherStoreStillUses() throws IOException {
    try (Backend backend = Backends.open("cpu", new BackendOptions(1));
        Arena arena = Arena.ofConfined()) {
      long open = AllocationTracker.openBytes();
      MemorySegment weights = mapped(arena, DType.F32, 1, INNER);
      Tensor tensor =
          Tensor.of(DType.F32, Shape.of(COLUMNS, INNER), backend.wrap(weights, "weights"));
      Frozen first = backend.freeze(tensor);
      Frozen second = backend.freeze(tensor);
      float[] plain = product(backend, DType.F32, weights, INNER, false);
      assertThat(AllocationTracker.openBytes()).isGreaterThan(open);
      first.close();
      first.close();
      assertThat(product(backend, DType.F32, weights, INNER, false)).isEqualTo(plain);
      assertThat(AllocationTracker.openBytes()).isGreaterThan(open);
      second.close();
      assertThat(AllocationTracker.openBytes()).isEqualTo(open);
      assertThat(product(backend, DType.F32, weights, INNER, false)).isEqualTo(plain);
    }
  }

  /** Weights in a file, as an encoder has them. */
  private MemorySegment mapped(Arena arena, DType dtype, int seed, int inner) throws IOException {
    MemorySegment weights = arena.allocate(dtype.byteSize((long) COLUMNS * inner), 64);
    fill(weights, dtype, seed, COLUMNS * inner);
    Path file = folder.resolve("weights" + seed);
    Files.write(file, weights.toArray(ValueLayout.JAVA_BYTE));
    try (FileChannel channel = FileChannel.open(file)) {
      return channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
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
      store.adopt("w", dtype, Shape.of(COLUMNS, inner), backend.wrap(weights, "w"));
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
