package org.llm4msr.runtime.conformance;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.memory.HostBuffer;

/**
 * One input or output of a kernel outside a plan: memory for the largest extents, current extents,
 * and guard bytes behind the current elements that no kernel may touch.
 */
public final class TestOperand implements Operand, AutoCloseable {
  private static final byte GUARD = (byte) 0xA5;

  /** Guard bytes behind the largest extents: more than any vector store could overshoot. */
  private static final long GUARD_BYTES = 256;

  private final Backend backend;
  private final ValueType type;
  private final Shape shape;
  private final HostBuffer staging;
  private final Buffer memory;

  /**
   * @param type with symbols where the current extent may be smaller than the largest
   * @param shape the current extents
   */
  public TestOperand(Backend backend, ValueType type, Shape shape) {
    this.backend = backend;
    this.type = type;
    this.shape = shape;
    long bytes = type.dtype().byteSize(type.maxElements()) + GUARD_BYTES;
    this.staging = HostBuffer.allocate(bytes, "staging of a test operand");
    this.memory = backend.allocate(bytes, "test operand");
    staging.segment().fill(GUARD);
    backend.upload(staging.segment(), memory, 0);
  }

  /** Writes the current elements, rounded to the operand's type. */
  public void write(double[] elements) {
    if (elements.length != elements()) {
      throw new IllegalArgumentException(elements.length + " elements for " + shape);
    }
    for (int i = 0; i < elements.length; i++) {
      dtype().set(staging.segment(), i, elements[i]);
    }
    backend.upload(current(), memory, 0);
  }

  /** Reads the current elements. */
  public double[] read() {
    backend.download(memory, 0, current());
    double[] elements = new double[Math.toIntExact(elements())];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = dtype().get(staging.segment(), i);
    }
    return elements;
  }

  /**
   * Index of the first byte behind the current elements that has been written, counted from the
   * first of them; -1 if none has.
   */
  public long firstTouchedGuard() {
    backend.download(memory, 0, staging.segment());
    long begin = dtype().byteSize(elements());
    for (long i = begin; i < staging.byteSize(); i++) {
      if (staging.segment().get(java.lang.foreign.ValueLayout.JAVA_BYTE, i) != GUARD) {
        return i - begin;
      }
    }
    return -1;
  }

  private MemorySegment current() {
    return staging.segment().asSlice(0, dtype().byteSize(elements()));
  }

  @Override
  public DType dtype() {
    return type.dtype();
  }

  @Override
  public int rank() {
    return shape.rank();
  }

  @Override
  public long dim(int axis) {
    return shape.dim(axis);
  }

  @Override
  public long elements() {
    return shape.elements();
  }

  @Override
  public long maxElements() {
    return type.maxElements();
  }

  @Override
  public MemorySegment segment() {
    return memory.segment();
  }

  @Override
  public long address() {
    return memory.address();
  }

  /** Largest extents. */
  public long[] maxExtents() {
    return type.dims().stream().mapToLong(Dim::max).toArray();
  }

  @Override
  public String toString() {
    return dtype() + Arrays.toString(shape.toArray());
  }

  @Override
  public void close() {
    memory.close();
    staging.close();
  }
}
