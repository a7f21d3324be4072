package org.llm4msr.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.DeviceException;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Memory, faults, lost devices and leaks of the cuda backend. */
class CudaBackendTest {
  private static final int MIB = 1 << 20;

  private CudaBackend backend;

  @BeforeEach
  void open() {
    CudaProvider provider = new CudaProvider();
    assumeTrue(provider.availability().available(), () -> provider.availability().explanation());
    backend = (CudaBackend) Backends.open("cuda", BackendOptions.defaults());
  }

  @AfterEach
  void nothingStaysOpen() {
    if (backend != null) {
      backend.close();
      backend.close();
      assertThat(AllocationTracker.open()).isEmpty();
    }
    StandIn.assertNothingWrong();
  }

  @Test
  void memoryBeginsAsZerosAndKeepsWhatIsWritten() {
    for (int round = 0; round < 2; round++) {
      // The second time it is the block of the first.
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

  /** Around a piece of pinned memory, and several. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 13 * MIB + 5})
  void copiesOfAnySizeArriveWhole(int bytes) {
    byte[] written = new byte[bytes];
    new Random(bytes).nextBytes(written);
    byte[] read = new byte[bytes];
    try (Buffer _ = backend.wrap(MemorySegment.ofArray(new byte[] {9}), "a test");
        Buffer buffer = backend.allocate(bytes, "a test")) {
      backend.upload(MemorySegment.ofArray(written), buffer, 0);
      backend.download(buffer, 0, MemorySegment.ofArray(read));
      assertThat(read).isEqualTo(written);
    }
  }

  @Test
  void theHostMayChangeItsMemoryRightAfterAnUpload() {
    byte[] host = new byte[9 * MIB];
    Arrays.fill(host, (byte) 1);
    try (Buffer buffer = backend.wrap(MemorySegment.ofArray(host), "a test")) {
      Arrays.fill(host, (byte) 2);
      backend.download(buffer, 0, MemorySegment.ofArray(host));
      assertThat(host).containsOnly(1);
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
  void memoryThatWasGivenBackServesTheNext() {
    StandIn.require();
    long before = StandIn.count("allocations");
    for (int i = 0; i < 10; i++) {
      backend.allocate(3 * MIB, "a test").close();
      // A little less finds the same block, much less one of its own.
      backend.allocate(3 * MIB - 100, "a test").close();
    }
    assertThat(StandIn.count("allocations")).isEqualTo(before + 1);
    assertThat(backend.memory().keptBytes()).isGreaterThanOrEqualTo(3 * MIB);
    backend.allocate(1000, "a test").close();
    assertThat(StandIn.count("allocations")).isEqualTo(before + 2);
  }

  @Test
  void saysHowMuchMemoryIsMissing() {
    StandIn.require();
    StandIn.set("memory", 100 * MIB);
    assertThatThrownBy(() -> backend.allocate(200 * MIB, "the weights"))
        .isInstanceOf(UserError.class)
        .hasMessageMatching(
            "the weights needs 200 MiB in one piece on stand-in GPU, of whose 100 MiB \\d\\d MiB are"
                + " free; this process uses \\d+ MiB");
    // It goes on.
    backend.allocate(MIB, "a test").close();
  }

  @Test
  void whatIsKeptIsGivenBackBeforeMemoryIsMissing() {
    StandIn.require();
    StandIn.set("memory", 100 * MIB);
    for (int i = 1; i < 9; i++) {
      backend.allocate(i * 2L * MIB, "a test").close();
    }
    assertThat(backend.memory().keptBytes()).isEqualTo(72L * MIB);
    backend.allocate(80 * MIB, "a test").close();
    assertThat(backend.memory().keptBytes()).isEqualTo(80L * MIB);
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
        // Launched one by one, then captured, then replayed.
        for (int run = 0; run < 3; run++) {
          plan.input(ids).setAtIndex(ValueLayout.JAVA_INT, 1, 5);
          assertThatThrownBy(plan::run)
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessage("gather: an id is out of range: element 1 is 5");
          assertThat(floats(store, "p")).containsOnly(0);
        }
        plan.input(ids).setAtIndex(ValueLayout.JAVA_INT, 1, 0);
        plan.run();
        // The first step of Adam is the learning rate against the gradient's sign.
        for (float moved : floats(store, "p")) {
          assertThat(moved).isCloseTo(-0.1f, within(1e-6f));
        }
      }
    }
  }

  private float[] floats(ParameterStore store, String name) {
    Shape shape = store.get(name).shape();
    float[] elements = new float[Math.toIntExact(shape.elements())];
    backend.download(store.get(name).buffer(), 0, MemorySegment.ofArray(elements));
    return elements;
  }

  @ParameterizedTest
  @ValueSource(ints = {700, 719, 214})
  void aLostDeviceIsOneLineAndEverythingCloses(int code) {
    StandIn.require();
    Graph graph = new Graph(DType.F32);
    Value x = graph.input("x", ValueType.of(DType.F32, 4, 4));
    Value y = Ops.relu(x);
    try (ParameterStore store = new ParameterStore(backend);
        Plan plan = new Plan(backend, graph, store, List.of(y))) {
      plan.run();
      StandIn.set("fail_code", code);
      StandIn.set("fail_launch", 1);
      assertThatThrownBy(
              () -> {
                plan.run();
                plan.run();
              })
          .isInstanceOf(DeviceException.class)
          .hasMessageMatching(
              "cuStreamSynchronize failed with CUDA_ERROR_(ILLEGAL_ADDRESS|LAUNCH_FAILED|"
                  + "ECC_UNCORRECTABLE) \\(.*\\); the device is lost to this process");
      assertThatThrownBy(() -> backend.allocate(100, "more")).isInstanceOf(DeviceException.class);
    }
  }

  @Test
  void anotherThreadMayGoOn() throws InterruptedException {
    try (Buffer buffer = backend.allocate(4, "a test")) {
      float[] read = new float[1];
      Thread other =
          Thread.ofPlatform()
              .start(() -> {
                backend.upload(MemorySegment.ofArray(new float[] {5}), buffer, 0);
                backend.download(buffer, 0, MemorySegment.ofArray(read));
              });
      other.join();
      assertThat(read).containsExactly(5);
    }
  }

  @Test
  void whatIsLeftOpenIsNamedWithItsOrigin() {
    Buffer left = backend.allocate(100, "the forgotten");
    List<AllocationTracker.Entry> open =
        AllocationTracker.open().stream()
            .filter(entry -> entry.label().equals("the forgotten"))
            .toList();
    assertThat(open).hasSize(1);
    assertThat(open.getFirst().origin().getStackTrace())
        .anyMatch(frame -> frame.getMethodName().equals("whatIsLeftOpenIsNamedWithItsOrigin"));
    left.close();
    // Every handle of the driver's is there too.
    assertThat(AllocationTracker.open())
        .extracting(AllocationTracker.Entry::label)
        .contains("stream of the cuda backend", "module portable of the cuda backend")
        .anyMatch(label -> label.startsWith("context of "));
  }

  @Test
  void aBackendThatCannotBeMadeLeavesNothingBehind() {
    StandIn.require();
    backend.close();
    // Each allocation in turn fails.
    for (int n = 1; n <= 2; n++) {
      StandIn.set("fail_allocation", n);
      try (Backend made = Backends.open("cuda", BackendOptions.defaults())) {
        made.allocate(100, "a test").close();
      } catch (UserError e) {
        assertThat(e).hasMessageContaining("needs 0 MiB");
      }
      assertThat(AllocationTracker.open()).isEmpty();
      assertThat(StandIn.report()).isEmpty();
    }
  }

  @Test
  void thereIsNoKernelOfAnotherName() {
    try (KernelModule module = Modules.load("portable", CudaDevices.found().devices().getFirst())) {
      assertThat(module.function("matmul")).isEqualTo(module.function("matmul")).isNotZero();
      assertThatThrownBy(() -> module.function("matmull"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("there is no kernel 'matmull'");
    }
  }
}
