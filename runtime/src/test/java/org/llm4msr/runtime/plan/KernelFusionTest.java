package org.llm4msr.runtime.plan;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.reference.ReferenceBackend;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.ScatterRowsOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/** What is fused where a backend asks for it, and that it makes no difference to the results. */
class KernelFusionTest {
  private static final Dim ROWS = Dim.of(6);
  private static final Dim WIDTH = Dim.of(4);

  /** The reference backend, which notes what it is asked to do. */
  private static final class Noting implements Backend {
    private final Backend backend = new ReferenceBackend();
    private final boolean fuses;
    final List<String> bound = new ArrayList<>();

    private Noting(boolean fuses) {
      this.fuses = fuses;
    }

    @Override
    public boolean fuses(FusedOp op, List<ValueType> inputs) {
      return fuses;
    }

    @Override
    public Kernel kernel(Op op, List<Operand> inputs, List<Operand> outputs) {
      bound.add(op.name());
      return backend.kernel(op, inputs, outputs);
    }

    @Override
    public String name() {
      return backend.name();
    }

    @Override
    public String description() {
      return backend.description();
    }

    @Override
    public boolean computesIn(DType dtype) {
      return backend.computesIn(dtype);
    }

    @Override
    public boolean sharesHostMemory() {
      return true;
    }

    @Override
    public Buffer allocate(long byteSize, String label) {
      return backend.allocate(byteSize, label);
    }

    @Override
    public void upload(MemorySegment host, Buffer buffer, long byteOffset) {
      backend.upload(host, buffer, byteOffset);
    }

    @Override
    public void download(Buffer buffer, long byteOffset, MemorySegment host) {
      backend.download(buffer, byteOffset, host);
    }

    @Override
    public void close() {
      backend.close();
    }
  }

  /** What was bound, and all outputs' elements and parameters after a run. */
  private record Outcome(List<String> bound, List<Double> elements) {}

  private static Outcome run(boolean fuses, BiFunction<Graph, List<Value>, List<Value>> build) {
    Graph graph = new Graph(DType.F64);
    List<Value> parameters = new ArrayList<>();
    List<Value> outputs = build.apply(graph, parameters);
    Random random = new Random(7);
    try (Noting backend = new Noting(fuses);
        ParameterStore store = new ParameterStore(backend)) {
      for (Value parameter : parameters) {
        store.create(parameter);
        MemorySegment memory = store.get(parameter.name()).buffer().segment();
        for (long i = 0; i < parameter.type().maxElements(); i++) {
          memory.setAtIndex(JAVA_DOUBLE, i, random.nextDouble());
        }
      }
      List<Double> elements = new ArrayList<>();
      try (Plan plan = new Plan(backend, graph, store, outputs)) {
        for (Value value : graph.values()) {
          if (value.kind() == Value.Kind.INPUT && plan.uses(value)) {
            fill(plan.input(value), value.type(), random);
          }
        }
        plan.run();
        for (Value output : outputs) {
          for (long i = 0; i < output.type().maxElements(); i++) {
            elements.add(plan.output(output).segment().getAtIndex(JAVA_DOUBLE, i));
          }
        }
      }
      for (Value parameter : parameters) {
        MemorySegment memory = store.get(parameter.name()).buffer().segment();
        for (long i = 0; i < parameter.type().maxElements(); i++) {
          elements.add(memory.getAtIndex(JAVA_DOUBLE, i));
        }
      }
      return new Outcome(backend.bound, elements);
    }
  }

  private static void fill(MemorySegment memory, ValueType type, Random random) {
    for (long i = 0; i < type.maxElements(); i++) {
      if (type.dtype() == DType.I32) {
        memory.setAtIndex(JAVA_INT, i, random.nextInt((int) ROWS.fixed()));
      } else {
        memory.setAtIndex(JAVA_DOUBLE, i, 1 + random.nextDouble());
      }
    }
  }

  private static void check(
      List<String> expected, BiFunction<Graph, List<Value>, List<Value>> build) {
    Outcome fused = run(true, build);
    assertThat(fused.bound).containsExactlyElementsOf(expected);
    assertThat(fused.elements).isNotEmpty().isEqualTo(run(false, build).elements);
  }

  private static Value matrix(Graph graph, List<Value> parameters, String name, long... extents) {
    Value value = graph.parameter(name, extents);
    parameters.add(value);
    return value;
  }

  @Test
  void aGatedProductIsOneProduct() {
    check(
        List.of("gatedMatmul"),
        (graph, parameters) -> {
          Value x = graph.input("x", ROWS, WIDTH);
          Value gate = Ops.linear(x, matrix(graph, parameters, "gate", 3, 4), null, null);
          Value up = Ops.linear(x, matrix(graph, parameters, "up", 3, 4), null, null);
          return List.of(Ops.glu(UnaryOp.Kind.SILU, gate, up));
        });
  }

  /** But their left operand is at least the same. */
  @Test
  void aGateThatOthersReadIsAProductOfItsOwn() {
    check(
        List.of("matmuls", "glu"),
        (graph, parameters) -> {
          Value x = graph.input("x", ROWS, WIDTH);
          Value gate = Ops.linear(x, matrix(graph, parameters, "gate", 3, 4), null, null);
          Value up = Ops.linear(x, matrix(graph, parameters, "up", 3, 4), null, null);
          return List.of(Ops.glu(UnaryOp.Kind.SILU, gate, up), gate);
        });
  }

  @Test
  void productsOfOneOperandAreMadeTogether() {
    check(
        List.of("matmuls", "matmul"),
        (graph, parameters) -> {
          Value x = graph.input("x", ROWS, WIDTH);
          Value other = graph.input("other", ROWS, WIDTH);
          Value bias = matrix(graph, parameters, "bias", 8);
          return List.of(
              Ops.linear(x, matrix(graph, parameters, "q", 8, 4), bias, UnaryOp.Kind.RELU),
              Ops.linear(x, matrix(graph, parameters, "k", 2, 4), null, null),
              Ops.linear(x, matrix(graph, parameters, "v", 2, 4), null, null),
              Ops.linear(other, matrix(graph, parameters, "w", 2, 4), null, null));
        });
  }

  /** Others read the sum, before the norm and after it. */
  @Test
  void aSumIsNormalisedWhereItIsMade() {
    check(
        List.of("addRmsNorm", "scale", "rmsNorm"),
        (graph, parameters) -> {
          Value x = graph.input("x", ROWS, WIDTH);
          Value branch = graph.input("branch", ROWS, WIDTH);
          Value weight = matrix(graph, parameters, "weight", 4);
          Value sum = Ops.add(x, branch);
          Value scaled = Ops.scale(sum, 2, 0);
          Value normed = Ops.rmsNorm(sum, weight, 1e-5);
          return List.of(scaled, normed, Ops.rmsNorm(sum, weight, 1e-3), sum);
        });
  }

  @Test
  void keysThatAreGatheredForAttentionAreReadWhereTheyLie() {
    check(
        List.of("rowAttention"),
        (graph, parameters) -> {
          Value q = graph.input("q", ROWS, WIDTH);
          Value k = graph.input("k", ROWS, WIDTH);
          Value v = graph.input("v", ROWS, WIDTH);
          Value rows = graph.input("rows", ValueType.of(DType.I32, 9));
          // One sequence of all tokens, whose keys are the first six listed rows.
          Value offsets = graph.constant(ValueType.of(DType.I32, 2), 0, 6);
          Value begins = graph.constant(ValueType.of(DType.I32, 1), 0);
          Value ends = graph.constant(ValueType.of(DType.I32, 1), 6);
          AttentionOp op = new AttentionOp(1, 1, 4, 0.5, AttentionOp.Mask.causal());
          Op gather = new GatherOp(DType.F64);
          Value keys = graph.apply(gather, k, rows).get(0);
          Value values = graph.apply(gather, v, rows).get(0);
          return List.of(Ops.attention(op, q, keys, values, offsets, begins, ends));
        });
  }

  @Test
  void productsReadRowsInTheTableUnlessItLearns() {
    check(
        List.of("gatheredMatmul", "gatheredWeightGradient"),
        (graph, parameters) -> lookedUp(graph, parameters, false, false));
    check(
        List.of("gather", "matmul", "blockWeightGradient", "relu"),
        (graph, parameters) -> lookedUp(graph, parameters, true, false));
    check(
        List.of("gather", "matmul", "blockWeightGradient", "scatterRows"),
        (graph, parameters) -> lookedUp(graph, parameters, false, true));
  }

  /**
   * A product of rows of a table and the gradient of its matrix, and perhaps what else there is.
   */
  private static List<Value> lookedUp(
      Graph graph, List<Value> parameters, boolean readElsewhere, boolean updated) {
    Value ids = graph.input("ids", ValueType.of(DType.I32, ROWS));
    Value table = matrix(graph, parameters, "table", 6, 4);
    Value rows = Ops.gather(table, ids);
    Value product = Ops.linear(rows, matrix(graph, parameters, "w", 3, 4), null, null);
    Value dy = graph.input("dy", ROWS, Dim.of(3));
    Op gradient = new BlockWeightGradientOp(true, 1, true);
    List<Value> outputs = new ArrayList<>(graph.apply(gradient, rows, dy));
    outputs.add(product);
    if (readElsewhere) {
      outputs.add(Ops.relu(rows));
    }
    if (updated) {
      graph.apply(new ScatterRowsOp(), table, ids, graph.input("new", ROWS, WIDTH));
    }
    return outputs;
  }

  @Test
  void aTableTakesItsStepWithoutTheSumsOfItsGradient() {
    check(List.of("sparseRowLazyAdam", "scale"), (graph, parameters) -> step(graph, parameters, 1));
    // Somebody reads the sums.
    check(
        List.of("sparseRowGradient", "lazyAdam", "scale"),
        (graph, parameters) -> step(graph, parameters, 2));
  }

  private static List<Value> step(Graph graph, List<Value> parameters, int readers) {
    Value ids = graph.input("ids", ValueType.of(DType.I32, ROWS));
    Value dy = graph.input("dy", ROWS, WIDTH);
    List<Value> rows = graph.apply(new SparseRowGradientOp(0, 0, 4, 6), ids, dy);
    graph.apply(
        new SparseAdamOp(0.9, 0.999, 1e-8, 0, true),
        matrix(graph, parameters, "p", 6, 4),
        matrix(graph, parameters, "m", 6, 4),
        matrix(graph, parameters, "v", 6, 4),
        rows.get(0),
        rows.get(1),
        rows.get(2),
        graph.input("state", ValueType.of(DType.F64, 2)));
    return List.of(Ops.scale(readers == 1 ? dy : rows.get(2), 1, 0));
  }
}
