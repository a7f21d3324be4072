package org.llm4msr.runtime.plan;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/** A product, and the gradient of a ReLU or a sum behind it, by hand. */
class FusionTest {
  private static final float[] PRODUCT = {
    1 * 5 + 2 * 7, 1 * 6 + 2 * 8, 3 * 5 + 4 * 7, 3 * 6 + 4 * 8
  };

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void gatesAProductThatOnlyTheGradientReads(String backend) {
    assertThat(run(backend, false)).containsExactly(PRODUCT[0], 0, 0, PRODUCT[3]);
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void leavesAProductThatOthersReadAsItIs(String backend) {
    assertThat(run(backend, true))
        .containsExactly(
            PRODUCT[0], 0, 0, PRODUCT[3], PRODUCT[0], PRODUCT[1], PRODUCT[2], PRODUCT[3]);
  }

  /** a + x w, or x w + a, and what is left of x w if it is read elsewhere too. */
  @ParameterizedTest
  @CsvSource({"reference,0", "reference,1", "cpu,0", "cpu,1"})
  void addsToAProduct(String name, int position) {
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", Dim.of(2), Dim.of(2));
    Value w = graph.input("w", Dim.of(2), Dim.of(2));
    Value a = graph.input("a", Dim.of(2), Dim.of(2));
    Value row = graph.input("row", Dim.of(2));
    Value product = Ops.matmul(x, w);
    Value read = Ops.matmul(x, w);
    List<Value> outputs =
        List.of(
            position == 0 ? Ops.add(product, a) : Ops.add(a, product),
            Ops.add(read, a),
            Ops.add(read, read),
            Ops.add(Ops.matmul(x, w), row));
    try (Backend backend = Backends.open(name, new BackendOptions(1));
        ParameterStore parameters = new ParameterStore(backend);
        Plan plan = new Plan(backend, graph, parameters, outputs)) {
      write(plan.input(x), 1, 2, 3, 4);
      write(plan.input(w), 5, 6, 7, 8);
      write(plan.input(a), 100, 200, 300, 400);
      write(plan.input(row), 10, 20);
      plan.run();
      for (Value sum : outputs.subList(0, 2)) {
        assertThat(elements(plan, sum))
            .containsExactly(
                PRODUCT[0] + 100, PRODUCT[1] + 200, PRODUCT[2] + 300, PRODUCT[3] + 400);
      }
      assertThat(elements(plan, outputs.get(2)))
          .containsExactly(2 * PRODUCT[0], 2 * PRODUCT[1], 2 * PRODUCT[2], 2 * PRODUCT[3]);
      assertThat(elements(plan, outputs.get(3)))
          .containsExactly(PRODUCT[0] + 10, PRODUCT[1] + 20, PRODUCT[2] + 10, PRODUCT[3] + 20);
    }
  }

  private static float[] elements(Plan plan, Value value) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment elements = arena.allocate(JAVA_FLOAT, 4);
      plan.read(value, elements);
      return elements.toArray(JAVA_FLOAT);
    }
  }

  /** The gradient's elements, then the product's if it is kept. */
  private static float[] run(String name, boolean keepsProduct) {
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", Dim.of(2), Dim.of(2));
    Value w = graph.input("w", Dim.of(1), Dim.of(2), Dim.of(2));
    Value relu = graph.input("relu", Dim.of(2), Dim.of(2));
    Value product = graph.apply(new BlockMatMulOp(false, false, null, false), x, w).get(0);
    Value gradient = graph.apply(new UnaryGradientOp(UnaryOp.Kind.RELU), relu, product).get(0);
    List<Value> outputs = keepsProduct ? List.of(gradient, product) : List.of(gradient);
    try (Backend backend = Backends.open(name, new BackendOptions(1));
        ParameterStore parameters = new ParameterStore(backend);
        Plan plan = new Plan(backend, graph, parameters, outputs);
        Arena arena = Arena.ofConfined()) {
      write(plan.input(x), 1, 2, 3, 4);
      write(plan.input(w), 5, 6, 7, 8);
      write(plan.input(relu), 1, 0, 0, 2);
      plan.run();
      MemorySegment elements = arena.allocate(JAVA_FLOAT, 4L * outputs.size());
      for (int i = 0; i < outputs.size(); i++) {
        plan.read(outputs.get(i), elements.asSlice(16L * i));
      }
      return elements.toArray(JAVA_FLOAT);
    }
  }

  private static void write(MemorySegment memory, float... elements) {
    MemorySegment.copy(elements, 0, memory, JAVA_FLOAT, 0, elements.length);
  }
}
