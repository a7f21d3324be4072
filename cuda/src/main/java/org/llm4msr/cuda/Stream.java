package org.llm4msr.cuda;

import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/** A queue of a device's work, in which everything runs in the order it is issued. */
final class Stream extends Handle {
  private final Raw raw;

  private static final class Raw extends CUstream {
    long pointer() {
      return getNativePointer();
    }
  }

  private Stream(Raw raw) {
    super("stream of the cuda backend", 0, "cuStreamDestroy");
    this.raw = raw;
  }

  /** Creates a stream of the current context that waits for no other. */
  static Stream create() {
    Raw raw = new Raw();
    CudaException.check(
        JCudaDriver.cuStreamCreate(raw, CUstream_flags.CU_STREAM_NON_BLOCKING), "cuStreamCreate");
    return new Stream(raw);
  }

  CUstream handle() {
    return raw;
  }

  long pointer() {
    return raw.pointer();
  }

  /** Waits for everything issued before. */
  void synchronize() {
    CudaException.check(Driver.synchronizeStream(pointer()), "cuStreamSynchronize");
  }

  @Override
  int release() {
    return JCudaDriver.cuStreamDestroy(raw);
  }
}
