package org.llm4msr.cuda;

import jcuda.driver.CUresult;
import org.llm4msr.runtime.memory.AllocationTracker;

/** Something of the driver's with one owner, who closes it. */
abstract class Handle implements AutoCloseable {
  private final AllocationTracker.Entry entry;
  private final String function;
  private boolean open = true;

  /**
   * @param label says what it is when a leak is reported
   * @param function the driver's that gives it back
   */
  Handle(String label, long byteSize, String function) {
    this.entry = AllocationTracker.opened(label, byteSize);
    this.function = function;
  }

  /** Gives it back; returns the driver's code. */
  abstract int release();

  /** Closing twice is harmless. What belonged to a lost device is gone by itself. */
  @Override
  public final void close() {
    if (open) {
      open = false;
      AllocationTracker.closed(entry);
      int code = release();
      if (code != CUresult.CUDA_SUCCESS && !CudaException.isLost(code)) {
        CudaException.check(code, function);
      }
    }
  }
}
