package org.llm4msr.runtime.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Memory and faults of a backend whose device has memory of its own. */
public abstract class DeviceBackendSuite {
  private final BackendProvider provider;
  private Backend backend;

  protected DeviceBackendSuite(BackendProvider provider) {
    this.provider = provider;
  }

  @BeforeEach
  void open() {
    assumeTrue(provider.availability().available(), () -> provider.availability().explanation());
    backend = Backends.open(provider.name(), BackendOptions.defaults());
  }

  @AfterEach
  void nothingStaysOpen() {
    if (backend != null) {
      backend.close();
      backend.close();
      assertThat(AllocationTracker.open()).isEmpty();
    }
    afterClose();
  }

  /** Looks at what a closed backend has left behind, where the device can say. */
  protected void afterClose() {}

  protected Backend backend() {
    return backend;
  }

  @Test
  void memoryBeginsAsZerosAndKeepsWhatIsWritten() {
    for (int round = 0; round < 2; round++) {
      // The second time it may be the memory of the first.
      try (Arena arena = Arena.ofConfined();
          Buffer buffer = backend.allocate(1000, "a test")) {
        MemorySegment host = arena.allocate(1000);
        host.fill((byte) 7);
        backend.download(buffer, 0, host);
        assertThat(host.toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
        backend.upload(MemorySegment.ofArray(new float[] {1, 2, 3}), buffer, 500);
        float[] read = new float[3];
        backend.download(buffer, 500, MemorySegment.ofArray(read));
        assertThat(read).containsExactly(1, 2, 3);
      }
    }
  }

  @Test
  void refusesWhatIsNotWithinABuffer() {
    MemorySegment host = MemorySegment.ofArray(new byte[100]);
    Buffer buffer = backend.allocate(100, "a test");
    assertThatThrownBy(() -> backend.upload(host, buffer, 1))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> backend.download(buffer, -1, host))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(buffer::segment).isInstanceOf(UnsupportedOperationException.class);
    buffer.close();
    buffer.close();
    assertThatThrownBy(() -> backend.upload(host, buffer, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("closed");
  }

  @Test
  void aBadIndexIsReportedOnceAndNothingIsUpdated() {
    Graph graph = new Graph(DType.F32);
    Dim rows = Dim.symbol("rows", 8);
    Value table = graph.parameter("table", ValueType.of(DType.F32, 5, 4));
    Value ids = graph.input("ids", ValueType.of(DType.I32, rows));
    Value state = graph.input("state", ValueType.of(DType.F64, 2));
    Value p = graph.parameter("p", ValueType.of(DType.F32, 3));
    Value m = graph.parameter("m", p.type());
    Value v = graph.parameter("v", p.type());
    Value g = graph.parameter("g", p.type());
    Value found = graph.apply(new GatherOp(DType.F32), table, ids).get(0);
    graph.apply(new AdamOp(0.9, 0.999, 1e-8, 0), p, m, v, g, state);
    try (ParameterStore store = new ParameterStore(backend)) {
      for (Value parameter : List.of(table, p, m, v, g)) {
        store.create(parameter);
      }
      backend.upload(MemorySegment.ofArray(new float[] {1, 2, 3}), store.get("g").buffer(), 0);
      try (Plan plan = new Plan(backend, graph, store, List.of(found))) {
        plan.setExtent(rows, 2);
        plan.input(state).setAtIndex(ValueLayout.JAVA_DOUBLE, 0, 0.1);
        plan.input(state).setAtIndex(ValueLayout.JAVA_DOUBLE, 1, 1);
        plan.input(ids).setAtIndex(ValueLayout.JAVA_INT, 0, 4);
        // A backend may launch one by one, then capture, then replay.
        for (int run = 0; run < 3; run++) {
          plan.input(ids).setAtIndex(ValueLayout.JAVA_INT, 1, 5);
          assertThatThrownBy(plan::run)
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessage("gather: an id is out of range: element 1 is 5");
          assertThat(updated(store)).containsOnly(0);
        }
        plan.input(ids).setAtIndex(ValueLayout.JAVA_INT, 1, 0);
        plan.run();
        // The first step of Adam is the learning rate against the gradient's sign.
        for (float moved : updated(store)) {
          assertThat(moved).isCloseTo(-0.1f, within(1e-6f));
        }
      }
    }
  }

  private float[] updated(ParameterStore store) {
    float[] elements = new float[3];
    backend.download(store.get("p").buffer(), 0, MemorySegment.ofArray(elements));
    return elements;
  }
}
