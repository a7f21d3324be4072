package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.KernelSequence;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.SumToOp;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Runs that are captured and replayed. */
class CapturedKernelsTest {
  private static final int WIDTH = 3;

  /** So many that they are summed slice by slice, by way of scratch memory. */
  private static final int ROWS = 5000;

  private final Graph graph = new Graph(DType.F32);
  private final Dim rows = Dim.symbol("rows", 64);
  private final Value x = graph.input("x", ValueType.of(DType.F32, rows, Dim.of(WIDTH)));
  private final Value y = Ops.softmax(Ops.scale(x, 2, 0));
  private Backend backend;

  @BeforeEach
  void open() {
    StandIn.require();
    backend = Backends.open("cuda", BackendOptions.defaults());
  }

  @AfterEach
  void close() {
    if (backend != null) {
      backend.close();
    }
    StandIn.assertNothingWrong();
  }

  /** Runs with so many rows of numbers that no other run has, and checks the result. */
  private void run(Plan plan, int extent, int seed) {
    plan.setExtent(rows, extent);
    MemorySegment input = plan.input(x);
    for (int i = 0; i < extent * WIDTH; i++) {
      input.setAtIndex(JAVA_FLOAT, i, (float) Math.sin(seed + i));
    }
    plan.run();
    float[] read = new float[extent * WIDTH];
    plan.read(y, MemorySegment.ofArray(read));
    for (int row = 0; row < extent; row++) {
      double sum = 0;
      for (int i = row * WIDTH; i < (row + 1) * WIDTH; i++) {
        sum += Math.exp(2 * Math.sin(seed + i));
      }
      for (int i = row * WIDTH; i < (row + 1) * WIDTH; i++) {
        assertThat((double) read[i])
            .isCloseTo(Math.exp(2 * Math.sin(seed + i)) / sum, within(1e-6));
      }
    }
  }

  @Test
  void theSecondRunOfTheSameExtentsIsCaptured() {
    try (ParameterStore store = new ParameterStore(backend);
        Plan plan = new Plan(backend, graph, store, List.of(y))) {
      run(plan, 5, 0);
      assertThat(StandIn.count("captures")).isZero();
      long launchesOfOne = StandIn.count("launches");
      for (int i = 1; i < 6; i++) {
        run(plan, 5, i);
      }
      assertThat(StandIn.count("captures")).isEqualTo(1);
      assertThat(StandIn.count("graph_launches")).isEqualTo(5);
      assertThat(StandIn.count("launches")).isEqualTo(6 * launchesOfOne);
      // No rows, no launches, no harm.
      for (int i = 0; i < 3; i++) {
        run(plan, 0, i);
      }
    }
  }

  @Test
  void aFewExtentsAreRemembered() {
    try (ParameterStore store = new ParameterStore(backend);
        Plan plan = new Plan(backend, graph, store, List.of(y))) {
      for (int round = 0; round < 4; round++) {
        for (int extent = 1; extent <= 8; extent++) {
          run(plan, extent, round);
        }
      }
      assertThat(StandIn.count("captures")).isEqualTo(8);
      assertThat(StandIn.count("graph_launches")).isEqualTo(24);
      // More of them than are remembered, one after the other: each is forgotten before it is back.
      for (int round = 0; round < 2; round++) {
        for (int extent = 10; extent < 20; extent++) {
          run(plan, extent, round);
        }
      }
      assertThat(StandIn.count("captures")).isEqualTo(8);
    }
  }

  /** What was captured points to scratch memory, which grows when another plan needs more. */
  @Test
  void isCapturedAnewWhenScratchMemoryMoves() {
    Graph small = new Graph(DType.F32);
    Value g = small.input("g", ValueType.of(DType.F32, ROWS, WIDTH));
    Value sums = small.apply(new SumToOp(List.of(Dim.of(WIDTH))), g).get(0);
    Graph large = new Graph(DType.F32);
    Value h = large.input("h", ValueType.of(DType.F32, 10 * ROWS, 10 * WIDTH));
    Value others = large.apply(new SumToOp(List.of(Dim.of(10 * WIDTH))), h).get(0);
    try (ParameterStore store = new ParameterStore(backend);
        Plan plan = new Plan(backend, small, store, List.of(sums))) {
      for (int run = 0; run < 3; run++) {
        checkSums(plan, g, sums, run);
      }
      assertThat(StandIn.count("captures")).isEqualTo(1);
      try (Plan other = new Plan(backend, large, store, List.of(others))) {
        assertThat(other.uses(h)).isTrue();
        checkSums(plan, g, sums, 3);
        checkSums(plan, g, sums, 4);
      }
      assertThat(StandIn.count("captures")).isEqualTo(2);
    }
  }

  private static void checkSums(Plan plan, Value g, Value sums, int seed) {
    double[] expected = new double[WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++) {
      float element = (float) Math.cos(seed * 1000 + i);
      plan.input(g).setAtIndex(JAVA_FLOAT, i, element);
      expected[i % WIDTH] += element;
    }
    plan.run();
    float[] read = new float[WIDTH];
    plan.read(sums, MemorySegment.ofArray(read));
    for (int i = 0; i < WIDTH; i++) {
      assertThat((double) read[i]).isCloseTo(expected[i], within(1e-3));
    }
  }

  @Test
  void theStreamIsUsableAfterACaptureThatFailed() {
    int[] runs = new int[1];
    Kernel failsWhenCaptured =
        () -> {
          if (++runs[0] == 2) {
            throw new IllegalArgumentException("not now");
          }
        };
    try (KernelSequence sequence = backend.sequence(List.of(failsWhenCaptured), new long[] {1})) {
      sequence.run();
      assertThatThrownBy(sequence::run).hasMessage("not now");
      backend.finish();
      sequence.run();
      sequence.run();
      assertThat(runs[0]).isEqualTo(3);
    }
  }
}
