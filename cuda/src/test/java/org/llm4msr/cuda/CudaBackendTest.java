package org.llm4msr.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.DeviceBackendSuite;
import org.llm4msr.runtime.backend.DeviceException;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Memory, faults, lost devices and leaks of the cuda backend. */
class CudaBackendTest extends DeviceBackendSuite {
  private static final int MIB = 1 << 20;

  private CudaBackend backend;

  CudaBackendTest() {
    super(new CudaProvider());
  }

  @BeforeEach
  void cast() {
    backend = (CudaBackend) backend();
  }

  @Override
  protected void afterClose() {
    StandIn.assertNothingWrong();
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
