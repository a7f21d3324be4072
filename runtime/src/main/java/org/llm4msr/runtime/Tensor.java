package org.llm4msr.runtime;

import java.lang.foreign.MemorySegment;
import org.llm4msr.runtime.memory.Buffer;

/**
 * A dense row-major view of a {@link Buffer}. It owns nothing: whoever owns the buffer closes it.
 *
 * @param byteOffset where the first element lies in the buffer
 */
public record Tensor(DType dtype, Shape shape, Buffer buffer, long byteOffset) {
  /**
   * @throws IllegalArgumentException if the elements do not fit into the buffer
   */
  public Tensor {
    long bytes = dtype.byteSize(shape.elements());
    if (byteOffset < 0 || byteOffset > buffer.byteSize() - bytes) {
      throw new IllegalArgumentException(
          dtype
              + " "
              + shape
              + " at "
              + byteOffset
              + " does not fit into "
              + buffer.byteSize()
              + " bytes");
    }
  }

  public static Tensor of(DType dtype, Shape shape, Buffer buffer) {
    return new Tensor(dtype, shape, buffer, 0);
  }

  public long byteSize() {
    return dtype.byteSize(shape.elements());
  }

  /** The elements as host memory; see {@link Buffer#segment()} for the errors. */
  public MemorySegment segment() {
    return buffer.segment().asSlice(byteOffset, byteSize());
  }
}
