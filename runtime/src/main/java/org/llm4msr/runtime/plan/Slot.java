package org.llm4msr.runtime.plan;

import java.lang.foreign.MemorySegment;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.Buffer;

/**
 * A value of a plan: fixed memory, and extents that are looked up in the plan's current symbols.
 */
final class Slot implements Operand {
  private final ValueType type;
  private final long maxElements;
  private final Buffer buffer;
  private final long byteOffset;
  private final MemorySegment segment;
  private final long[] extents;
  private final int[] symbols;
  private final long[] symbolExtents;

  /**
   * @param symbols for each axis an index into {@code symbolExtents}, or -1 if it is fixed
   */
  Slot(
      ValueType type,
      Buffer buffer,
      long byteOffset,
      MemorySegment segment,
      int[] symbols,
      long[] symbolExtents) {
    this.type = type;
    this.maxElements = type.maxElements();
    this.buffer = buffer;
    this.byteOffset = byteOffset;
    this.segment = segment;
    this.symbols = symbols;
    this.symbolExtents = symbolExtents;
    this.extents = new long[symbols.length];
    for (int axis = 0; axis < extents.length; axis++) {
      extents[axis] = type.dim(axis).max();
    }
  }

  Buffer buffer() {
    return buffer;
  }

  long byteOffset() {
    return byteOffset;
  }

  ValueType type() {
    return type;
  }

  @Override
  public DType dtype() {
    return type.dtype();
  }

  @Override
  public int rank() {
    return extents.length;
  }

  @Override
  public long dim(int axis) {
    int symbol = symbols[axis];
    return symbol < 0 ? extents[axis] : symbolExtents[symbol];
  }

  @Override
  public long elements() {
    long elements = 1;
    for (int axis = 0; axis < extents.length; axis++) {
      elements *= dim(axis);
    }
    return elements;
  }

  @Override
  public long maxElements() {
    return maxElements;
  }

  @Override
  public MemorySegment segment() {
    if (segment == null) {
      throw new UnsupportedOperationException("the host cannot address this device's memory");
    }
    return segment;
  }

  @Override
  public long address() {
    return buffer.address() + byteOffset;
  }
}
