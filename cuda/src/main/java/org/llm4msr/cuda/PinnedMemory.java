package org.llm4msr.cuda;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/** Host memory that stays where it is, so that the device can copy while the host goes on. */
final class PinnedMemory extends Handle {
  private final Pointer pointer;
  private final MemorySegment segment;

  private PinnedMemory(Pointer pointer, long byteSize) {
    super("pinned memory of the cuda backend", byteSize, "cuMemFreeHost");
    this.pointer = pointer;
    this.segment = MemorySegment.ofBuffer(pointer.getByteBuffer(0, byteSize));
  }

  /**
   * @param byteSize below 2 GiB
   */
  static PinnedMemory allocate(long byteSize) {
    Pointer pointer = new Pointer();
    CudaException.check(JCudaDriver.cuMemHostAlloc(pointer, byteSize, 0), "cuMemHostAlloc");
    return new PinnedMemory(pointer, byteSize);
  }

  /** The memory; not to be touched once it is closed. */
  MemorySegment segment() {
    return segment;
  }

  @Override
  int release() {
    return JCudaDriver.cuMemFreeHost(pointer);
  }
}
