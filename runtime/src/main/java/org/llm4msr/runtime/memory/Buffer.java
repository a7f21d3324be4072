package org.llm4msr.runtime.memory;

import java.lang.foreign.MemorySegment;

/**
 * A region of one device's memory with exactly one owner, who closes it. Tensors are views and own
 * nothing.
 */
public interface Buffer extends AutoCloseable {
  /** Bytes that may be used. */
  long byteSize();

  /**
   * The region as host memory, at least element-aligned.
   *
   * @throws UnsupportedOperationException if the host cannot address it
   * @throws IllegalStateException if it is closed
   */
  MemorySegment segment();

  /** Address on the device. */
  long address();

  /** Frees the memory; closing twice is harmless. */
  @Override
  void close();
}
