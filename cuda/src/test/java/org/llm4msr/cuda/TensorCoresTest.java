package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Which kernels run where, that they are captured, and that their maps follow memory. */
class TensorCoresTest {
  private static final int INNER = 40;
  private static final int COLUMNS = 24;

  private final Arena arena = Arena.ofConfined();
  private final Random random = new Random(5);
  private CudaBackend backend;

  @BeforeEach
  void skipWithoutStandIn() {
    StandIn.require();
  }

  @AfterEach
  void close() {
    if (backend != null) {
      backend.close();
    }
    arena.close();
    StandIn.assertNothingWrong();
  }

  private void open(int capability) {
    StandIn.set("capability", capability);
    backend = new CudaBackend(CudaDevices.look().devices().getFirst());
  }

  /** y [rows, columns] = x W^T with x of numbers that BF16 holds: nothing but sums is rounded. */
  private final class Product implements AutoCloseable {
    final Dim rows;
    final int inner;
    final int columns;
    final double[] weights;
    final Value x;
    final Value y;
    final ParameterStore store;
    final Plan plan;

    Product(DType dtype, int mostRows, int columns, int inner) {
      this.inner = inner;
      this.columns = columns;
      rows = Dim.symbol("rows", mostRows);
      weights = new double[columns * inner];
      MemorySegment stored = arena.allocate(dtype.byteSize(weights.length), 16);
      for (int i = 0; i < weights.length; i++) {
        float weight = random.nextInt(-8, 8) / 8f;
        weights[i] = weight;
        if (dtype == DType.BF16) {
          stored.setAtIndex(JAVA_SHORT, i, (short) (Float.floatToRawIntBits(weight) >>> 16));
        } else {
          stored.setAtIndex(JAVA_FLOAT, i, weight);
        }
      }
      store = new ParameterStore(backend);
      store.adopt("w", dtype, Shape.of(columns, inner), backend.wrap(stored, "weights"));
      Graph graph = new Graph(DType.F32);
      x = graph.input("x", rows, Dim.of(inner));
      Value w = graph.parameter("w", ValueType.of(dtype, Dim.of(columns), Dim.of(inner)));
      y = Ops.linear(x, w, null, null);
      plan = new Plan(backend, graph, store, List.of(y));
    }

    void check(int extent) {
      plan.setExtent(rows, extent);
      double[] left = new double[extent * inner];
      for (int i = 0; i < left.length; i++) {
        left[i] = random.nextInt(-16, 16);
        plan.input(x).setAtIndex(JAVA_FLOAT, i, (float) left[i]);
      }
      plan.run();
      float[] read = new float[extent * columns];
      plan.read(y, MemorySegment.ofArray(read));
      for (int row = 0; row < extent; row++) {
        for (int column = 0; column < columns; column++) {
          double sum = 0;
          for (int k = 0; k < inner; k++) {
            sum += left[row * inner + k] * weights[column * inner + k];
          }
          assertThat((double) read[row * columns + column]).isEqualTo(sum);
        }
      }
    }

    @Override
    public void close() {
      plan.close();
      store.close();
    }
  }

  /** F32 weights are multiplied exactly, whatever the device. */
  @ParameterizedTest
  @CsvSource({
    "80, BF16, 40, matmul_mma",
    "86, BF16, 41, matmul_mma",
    "90, BF16, 40, matmul_multicast",
    "90, BF16, 41, matmul_mma",
    "100, BF16, 40, matmul_mma",
    "80, F32, 40, matmul",
    "90, F32, 40, matmul"
  })
  void aKernelForEachDevice(int capability, DType dtype, int inner, String kernel) {
    open(capability);
    try (Product product = new Product(dtype, 150, COLUMNS, inner)) {
      for (int extent : new int[] {150, 1, 0, 129, 3}) {
        product.check(extent);
      }
      assertThat(StandIn.count(kernel)).isEqualTo(4);
      assertThat(StandIn.count("to_bf16")).isEqualTo(dtype == DType.BF16 ? 4 : 0);
    }
  }

  /** An old driver may not take Hopper's binary. */
  @Test
  void withoutABinaryItIsTheOlderKernel() {
    StandIn.set("refuse_cubin", 1);
    open(90);
    try (Product product = new Product(DType.BF16, 9, COLUMNS, INNER)) {
      product.check(9);
      assertThat(StandIn.count("matmul_mma")).isEqualTo(1);
    }
  }

  /** The second plan needs more scratch memory, so that the first one's map has to move. */
  @ParameterizedTest
  @CsvSource({"80", "90"})
  void runsAreCapturedAndFollowScratchMemory(int capability) {
    open(capability);
    try (Product product = new Product(DType.BF16, 20, COLUMNS, INNER)) {
      for (int run = 0; run < 3; run++) {
        product.check(17);
      }
      assertThat(StandIn.count("captures")).isEqualTo(1);
      try (Product other = new Product(DType.BF16, 300, 2, 200)) {
        other.check(300);
        product.check(17);
        product.check(17);
        product.check(20);
      }
      assertThat(StandIn.count("captures")).isEqualTo(2);
    }
  }

  /** Keys that are all alike: every token gets the mean of the values up to its own. */
  @ParameterizedTest
  @CsvSource({
    "64, true, attention_64",
    "128, true, attention_128",
    "64, false, attention",
    "32, true, attention"
  })
  void attentionThatMayBeRounded(int headDim, boolean rounded, String kernel) {
    open(80);
    int tokens = 70;
    Graph graph = new Graph(DType.F32);
    Value q = graph.input("q", Dim.of(tokens), Dim.of(headDim));
    Value k = graph.input("k", Dim.of(tokens), Dim.of(headDim));
    Value v = graph.input("v", Dim.of(tokens), Dim.of(headDim));
    Value offsets = graph.input("offsets", ValueType.of(DType.I32, 2));
    AttentionOp op = new AttentionOp(1, 1, headDim, 1, AttentionOp.Mask.causal(), rounded);
    Value y = Ops.attention(op, q, k, v, offsets);
    try (ParameterStore store = new ParameterStore(backend);
        Plan plan = new Plan(backend, graph, store, List.of(y))) {
      plan.input(offsets).setAtIndex(JAVA_INT, 1, tokens);
      for (int run = 0; run < 3; run++) {
        double[] sums = new double[headDim];
        double[] expected = new double[tokens * headDim];
        for (int i = 0; i < expected.length; i++) {
          float value = random.nextInt(-8, 8);
          plan.input(v).setAtIndex(JAVA_FLOAT, i, value);
          plan.input(q).setAtIndex(JAVA_FLOAT, i, random.nextInt(-2, 3));
          plan.input(k).setAtIndex(JAVA_FLOAT, i, 0.5f);
          sums[i % headDim] += value;
          expected[i] = sums[i % headDim] / (i / headDim + 1);
        }
        plan.run();
        float[] read = new float[expected.length];
        plan.read(y, MemorySegment.ofArray(read));
        for (int i = 0; i < expected.length; i++) {
          assertThat((double) read[i]).isCloseTo(expected[i], within(1e-5));
        }
      }
      assertThat(StandIn.count(kernel)).isEqualTo(3);
      assertThat(StandIn.count("captures")).isEqualTo(1);
    }
  }

  /** A cache is not rounded as a whole for a few queries. */
  @Test
  void attentionToACacheStaysWhereTheKeysAre() {
    open(80);
    Graph graph = new Graph(DType.F32);
    Dim rows = Dim.symbol("rows", 4);
    Value q = graph.input("q", rows, Dim.of(64));
    Value keys = graph.input("keys", Dim.of(100), Dim.of(64));
    Value offsets = graph.input("offsets", ValueType.of(DType.I32, 2));
    Value begins = graph.input("begins", ValueType.of(DType.I32, 1));
    Value ends = graph.input("ends", ValueType.of(DType.I32, 1));
    AttentionOp op = new AttentionOp(1, 1, 64, 1, AttentionOp.Mask.causal(), true);
    Value y = Ops.attention(op, q, keys, keys, offsets, begins, ends);
    try (ParameterStore store = new ParameterStore(backend);
        Plan plan = new Plan(backend, graph, store, List.of(y))) {
      plan.setExtent(rows, 1);
      for (int i = 0; i < 64; i++) {
        plan.input(q).setAtIndex(JAVA_FLOAT, i, 1);
        plan.input(keys).setAtIndex(JAVA_FLOAT, i, i);
      }
      plan.input(offsets).setAtIndex(JAVA_INT, 1, 1);
      plan.input(ends).setAtIndex(JAVA_INT, 0, 1);
      plan.run();
      float[] read = new float[64];
      plan.read(y, MemorySegment.ofArray(read));
      for (int i = 0; i < 64; i++) {
        assertThat(read[i]).isEqualTo(i);
      }
      assertThat(StandIn.count("attention")).isEqualTo(1);
    }
  }
}
