package org.llm4msr.cuda;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/** A mark in a stream that the host can wait for. */
final class Event extends Handle {
  private final Raw raw;

  private static final class Raw extends CUevent {
    long pointer() {
      return getNativePointer();
    }
  }

  private Event(Raw raw) {
    super("event of the cuda backend", 0, "cuEventDestroy");
    this.raw = raw;
  }

  static Event create() {
    Raw raw = new Raw();
    CudaException.check(
        JCudaDriver.cuEventCreate(raw, CUevent_flags.CU_EVENT_DISABLE_TIMING), "cuEventCreate");
    return new Event(raw);
  }

  void record(Stream stream) {
    CudaException.check(Driver.recordEvent(raw.pointer(), stream.pointer()), "cuEventRecord");
  }

  /** Waits until everything issued before the last record has run; not at all if there is none. */
  void synchronize() {
    CudaException.check(Driver.synchronizeEvent(raw.pointer()), "cuEventSynchronize");
  }

  @Override
  int release() {
    return JCudaDriver.cuEventDestroy(raw);
  }
}
