package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** That the stand-in notices what the other tests rely on it to notice. */
class StandInTest {
  private static final int BYTES = 1024;

  private final Arena arena = Arena.ofConfined();
  private Context context;
  private Stream stream;
  private PinnedMemory pinned;

  private static final class Block extends CUdeviceptr {
    long address() {
      return getNativePointer();
    }
  }

  @BeforeEach
  void open() {
    StandIn.require();
    context = Context.of(CudaDevices.found().devices().getFirst());
    stream = Stream.create();
    pinned = PinnedMemory.allocate(BYTES);
  }

  @AfterEach
  void close() {
    if (context != null) {
      pinned.close();
      stream.close();
      context.close();
    }
    arena.close();
    StandIn.assertNothingWrong();
  }

  private static Block block() {
    Block block = new Block();
    CudaException.check(JCudaDriver.cuMemAlloc(block, BYTES), "cuMemAlloc");
    return block;
  }

  /** Closes everything, and resets the stand-in once its report has been read. */
  private void expect(String noted) {
    pinned.close();
    stream.close();
    context.close();
    String report = StandIn.report();
    StandIn.reset();
    assertThat(report.lines()).anyMatch(line -> line.contains(noted));
  }

  @Test
  void aLeak() {
    block();
    expect("device memory, 1024 bytes");
  }

  @Test
  void aDoubleFree() {
    Block block = block();
    JCudaDriver.cuMemFree(block);
    assertThat(JCudaDriver.cuMemFree(block)).isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
    expect("freed twice");
  }

  @Test
  void useAfterFree() {
    Block block = block();
    JCudaDriver.cuMemFree(block);
    int code = Driver.copyToDevice(block.address(), pinned.segment(), stream.pointer());
    assertThat(code).isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
    expect("memory that was freed");
  }

  @Test
  void aCopyThatOverruns() {
    Block block = block();
    int code = Driver.copyToDevice(block.address() + 1, pinned.segment(), stream.pointer());
    assertThat(code).isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
    JCudaDriver.cuMemFree(block);
    expect("1024 bytes that are not in one block of the device");
  }

  @Test
  void anAsynchronousCopyOfMemoryThatIsNotPinned() {
    Block block = block();
    Driver.copyToDevice(block.address(), arena.allocate(BYTES), stream.pointer());
    JCudaDriver.cuMemFree(block);
    expect("not in one block of pinned memory");
  }

  @Test
  void aKernelThatWritesBehindItsMemory() {
    Block block = block();
    try (KernelModule module = Modules.load("portable", context.device())) {
      // fill(n, value, y)
      assertThat(fill(module, BYTES / Float.BYTES + 1, block.address()))
          .isEqualTo(CUresult.CUDA_SUCCESS);
      stream.synchronize();
    }
    JCudaDriver.cuMemFree(block);
    expect("fill: something was written behind a block of 1024 bytes");
  }

  @Test
  void anAddressThatIsNone() {
    try (KernelModule module = Modules.load("portable", context.device())) {
      assertThat(fill(module, 1, 12345)).isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
    }
    expect("fill: 1 bytes that are not in one block");
  }

  @Test
  void argumentsThatAreMissing() {
    try (KernelModule module = Modules.load("portable", context.device())) {
      MemorySegment one = arena.allocate(ADDRESS, 3);
      one.setAtIndex(ADDRESS, 0, arena.allocate(JAVA_LONG));
      int code = Driver.launch(module.function("fill"), 1, 1, 64, 0, stream.pointer(), one);
      assertThat(code).isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
    }
    expect("fill: argument 1 cannot be read");
  }

  @Test
  void groupsOfAnotherSize() {
    Block block = block();
    try (KernelModule module = Modules.load("portable", context.device())) {
      MemorySegment arguments = arguments(1, block.address());
      int code = Driver.launch(module.function("fill"), 1, 1, 128, 0, stream.pointer(), arguments);
      assertThat(code).isEqualTo(CUresult.CUDA_ERROR_INVALID_VALUE);
    }
    JCudaDriver.cuMemFree(block);
    expect("fill: groups of 128 x 1 x 1");
  }

  @Test
  void aKernelOfAModuleThatWasUnloaded() {
    Block block = block();
    KernelModule module = Modules.load("portable", context.device());
    long function = module.function("fill");
    module.close();
    Driver.launch(function, 1, 1, 64, 0, stream.pointer(), arguments(1, block.address()));
    JCudaDriver.cuMemFree(block);
    expect("a launch of no kernel, or of one that was unloaded");
  }

  @Test
  void aThreadWithoutContext() throws InterruptedException {
    Thread other =
        Thread.ofPlatform().start(() -> JCudaDriver.cuStreamSynchronize(stream.handle()));
    other.join();
    expect("cuStreamSynchronize: this thread has no context");
  }

  @Test
  void aStreamThatIsLeftOpen() {
    CudaException.check(JCudaDriver.cuStreamCreate(new CUstream(), 0), "cuStreamCreate");
    expect("1 streams");
  }

  /** Nothing has run before somebody waits for it. */
  @Test
  void workThatIsNotWaitedFor() {
    Block block = block();
    pinned.segment().fill((byte) 3);
    Driver.fillZero(block.address(), BYTES, stream.pointer());
    Driver.copyToHost(pinned.segment(), block.address(), stream.pointer());
    assertThat(pinned.segment().get(JAVA_BYTE, 0)).isEqualTo((byte) 3);
    stream.synchronize();
    assertThat(pinned.segment().get(JAVA_BYTE, 0)).isZero();
    JCudaDriver.cuMemFree(block);
  }

  private MemorySegment arguments(long n, long address) {
    MemorySegment values = arena.allocate(JAVA_LONG, 3);
    values.setAtIndex(JAVA_LONG, 0, n);
    values.setAtIndex(JAVA_LONG, 2, address);
    MemorySegment arguments = arena.allocate(ADDRESS, 3);
    for (int i = 0; i < 3; i++) {
      arguments.setAtIndex(ADDRESS, i, values.asSlice(8L * i));
    }
    return arguments;
  }

  private int fill(KernelModule module, long n, long address) {
    int groups = Math.toIntExact(Math.ceilDiv(n, 64));
    return Driver.launch(
        module.function("fill"), groups, 1, 64, 0, stream.pointer(), arguments(n, address));
  }
}
