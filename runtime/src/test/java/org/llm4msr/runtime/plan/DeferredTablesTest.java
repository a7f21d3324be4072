package org.llm4msr.runtime.plan;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.cpu.CpuProvider;
import org.llm4msr.runtime.graph.Autodiff;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.SparseAdamOp;

/** Steps that wait for their rows to be read change no bit of what is learned. */
class DeferredTablesTest {
  private static final int WIDTH = 16;
  private static final int LARGE = 70_001;
  private static final int SMALL = 90;
  private static final int BATCH = 40;

  private final SplittableRandom random = new SplittableRandom(5);
  private Backend backend;

  @BeforeEach
  void open() {
    assumeTrue(new CpuProvider().availability().available(), "no kernels for this machine");
    backend = Backends.open("cpu", new BackendOptions(2));
  }

  @AfterEach
  void close() {
    if (backend != null) {
      backend.close();
    }
  }

  /** A large and a small table under a loss, trained by exact Adam. */
  private final class Model implements AutoCloseable {
    private final Graph graph = new Graph(DType.F32);
    private final Dim rows = Dim.symbol("rows", BATCH);
    private final Value ids = graph.input("ids", ValueType.of(DType.I32, rows, Dim.of(2)));
    private final Value labels = graph.input("labels", rows);
    private final Value step = graph.input("step", ValueType.of(DType.F64, 2));
    private final ParameterStore store = new ParameterStore(backend);
    private final List<Value> tables;
    private final Value loss;
    private Plan plan;

    private Model(double decay, boolean deferring) {
      tables =
          List.of(graph.parameter("large", LARGE, WIDTH), graph.parameter("small", SMALL, WIDTH));
      Value x = Ops.embeddings(ids, tables);
      Value w =
          graph.constant(new SplittableRandom(3).doubles(2 * WIDTH, -1, 1).toArray(), 2 * WIDTH, 1);
      Value logits = Ops.matmul(Ops.sigmoid(x), w);
      loss = Ops.bceWithLogits(logits, labels);
      Map<Value, Gradient> gradients = Autodiff.gradients(loss, tables);
      for (Value table : tables) {
        Gradient.SparseRows g = (Gradient.SparseRows) gradients.get(table);
        graph.apply(
            new SparseAdamOp(0.9, 0.999, 1e-8, decay, false),
            table,
            graph.parameter("m/" + table.name(), table.type()),
            graph.parameter("v/" + table.name(), table.type()),
            g.rows(),
            g.count(),
            g.values(),
            step);
      }
      SplittableRandom start = new SplittableRandom(11);
      for (Value value : graph.values()) {
        if (value.kind() == Value.Kind.PARAMETER) {
          store.create(value);
        }
      }
      for (Value table : tables) {
        MemorySegment memory = store.get(table.name()).buffer().segment();
        for (long i = 0; i < table.type().maxElements(); i++) {
          memory.setAtIndex(JAVA_FLOAT, i, (float) start.nextDouble(-0.1, 0.1));
        }
      }
      open(deferring);
    }

    private void open(boolean deferring) {
      plan =
          deferring
              ? Plan.deferring(backend, graph, store, List.of(loss))
              : new Plan(backend, graph, store, List.of(loss));
    }

    private double run(Batch batch) {
      plan.setExtent(rows, batch.ids.length / 2);
      MemorySegment.copy(batch.ids, 0, plan.input(ids), JAVA_INT, 0, batch.ids.length);
      for (int row = 0; row < batch.ids.length / 2; row++) {
        plan.input(labels).setAtIndex(JAVA_FLOAT, row, batch.ids[2 * row] % 2);
      }
      plan.input(step).setAtIndex(JAVA_DOUBLE, 0, batch.rate);
      plan.input(step).setAtIndex(JAVA_DOUBLE, 1, batch.step);
      plan.run();
      return plan.readScalar(loss);
    }

    private float[] elements(String name) {
      return store.get(name).buffer().segment().toArray(JAVA_FLOAT);
    }

    @Override
    public void close() {
      plan.close();
      store.close();
    }
  }

  private record Batch(int step, double rate, int[] ids) {}

  /** Common rows, which come up twice in a batch too, and rare ones. */
  private Batch batch(int step) {
    int[] ids = new int[2 * random.nextInt(1, BATCH + 1)];
    for (int i = 0; i < ids.length; i += 2) {
      ids[i] = random.nextInt(3) == 0 ? random.nextInt(LARGE) : random.nextInt(200);
      ids[i + 1] = random.nextInt(SMALL);
    }
    return new Batch(step, 0.01 / step, ids);
  }

  private static void assertEqualBits(Model deferred, Model plain) {
    for (String name : deferred.store.names()) {
      assertThat(deferred.elements(name)).as(name).isEqualTo(plain.elements(name));
    }
  }

  private void train(int from, int to, Consumer<Batch> steps) {
    for (int step = from; step <= to; step++) {
      steps.accept(batch(step));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 1e-3})
  void learnsTheSameBits(double decay) {
    try (Model deferred = new Model(decay, true);
        Model plain = new Model(decay, false)) {
      Consumer<Batch> both =
          batch -> assertThat(deferred.run(batch)).as("%s", batch).isEqualTo(plain.run(batch));
      train(1, 100, both);
      deferred.plan.settle();
      assertEqualBits(deferred, plain);
      deferred.plan.settle();
      assertEqualBits(deferred, plain);
      train(101, 140, both);
      deferred.plan.settle();
      assertEqualBits(deferred, plain);
    }
  }

  @Test
  void rowsThatNobodyReadWait() {
    try (Model deferred = new Model(1e-3, true)) {
      int last = LARGE - 1;
      float before = deferred.elements("large")[last * WIDTH];
      deferred.run(new Batch(1, 0.01, new int[] {0, 0}));
      assertThat(deferred.elements("large")[last * WIDTH]).isEqualTo(before);
      deferred.plan.settle();
      assertThat(deferred.elements("large")[last * WIDTH]).isNotEqualTo(before);
    }
  }

  @Test
  void goesOnFromAnyStepAfterSettling() {
    try (Model deferred = new Model(1e-3, true);
        Model plain = new Model(1e-3, false)) {
      train(1, 7, batch -> assertThat(deferred.run(batch)).isEqualTo(plain.run(batch)));
      deferred.plan.settle();
      deferred.plan.close();
      deferred.open(true);
      train(1000, 1040, batch -> assertThat(deferred.run(batch)).isEqualTo(plain.run(batch)));
      deferred.plan.settle();
      assertEqualBits(deferred, plain);
    }
  }

  @Test
  void refusesToLeaveOutSteps() {
    try (Model deferred = new Model(0, true)) {
      train(3, 4, deferred::run);
      assertThatThrownBy(() -> deferred.run(batch(6)))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("step 6 cannot follow step 4");
    }
  }

  @Test
  void aRunThatFailsMayBeGivenAgain() {
    try (Model deferred = new Model(1e-3, true);
        Model plain = new Model(1e-3, false)) {
      List<Batch> batches = new ArrayList<>();
      train(1, 3, batches::add);
      for (Batch batch : batches) {
        Batch outside = new Batch(batch.step, batch.rate, new int[] {LARGE, 0});
        assertThatThrownBy(() -> deferred.run(outside))
            .isInstanceOf(IllegalArgumentException.class);
        assertThat(deferred.run(batch)).isEqualTo(plain.run(batch));
      }
      deferred.plan.settle();
      assertEqualBits(deferred, plain);
    }
  }
}
