package org.llm4msr.runtime.conformance;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.Buffer;

/**
 * One input or output of a kernel outside a plan: memory for the largest extents, the extents of
 * the current run, and guard bytes behind its elements that no kernel may touch. As in a plan, a
 * symbol has no extent (-1) until {@link #setShape} gives it one.
 */
public final class TestOperand implements Operand, AutoCloseable {
  /** Not a number in every real type, so that reading it by mistake is noticed too. */
  private static final byte GUARD = (byte) 0xFF;

  /** Guard bytes behind the largest extents: more than any vector store could overshoot. */
  private static final long GUARD_BYTES = 256;

  private final Backend backend;
  private final ValueType type;
  private final long[] extents;
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment staging;
  private final Buffer memory;

  public TestOperand(Backend backend, ValueType type) {
    this.backend = backend;
    this.type = type;
    this.extents = type.dims().stream().mapToLong(d -> d.isSymbol() ? -1 : d.fixed()).toArray();
    long bytes = type.dtype().byteSize(type.maxElements()) + GUARD_BYTES;
    this.staging = arena.allocate(bytes, Long.BYTES);
    this.memory = backend.allocate(bytes, "test operand");
  }

  /** Sets the current extents and fills the memory with guard bytes. */
  public void setShape(Shape shape) {
    for (int axis = 0; axis < extents.length; axis++) {
      Dim dim = type.dim(axis);
      if (shape.dim(axis) > dim.max() || !dim.isSymbol() && shape.dim(axis) != dim.max()) {
        throw new IllegalArgumentException(shape + " is not of type " + type);
      }
      extents[axis] = shape.dim(axis);
    }
    staging.fill(GUARD);
    backend.upload(staging, memory, 0);
  }

  /**
   * Writes the current elements, rounded to the operand's type; a quantised operand gets blocks of
   * random bits instead, the same for the same elements.
   */
  public void write(double[] elements) {
    if (elements.length != elements()) {
      throw new IllegalArgumentException(elements.length + " elements for " + this);
    }
    if (dtype().isQuantised()) {
      QuantisedData.fill(dtype(), elements, staging);
    } else {
      for (int i = 0; i < elements.length; i++) {
        dtype().set(staging, i, elements[i]);
      }
    }
    backend.upload(current(), memory, 0);
  }

  /** Reads the current elements, of a quantised operand the bytes. */
  public double[] read() {
    backend.download(memory, 0, current());
    if (dtype().isQuantised()) {
      byte[] bytes = current().toArray(ValueLayout.JAVA_BYTE);
      return IntStream.range(0, bytes.length).mapToDouble(i -> bytes[i]).toArray();
    }
    double[] elements = new double[Math.toIntExact(elements())];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = dtype().get(staging, i);
    }
    return elements;
  }

  /**
   * How far behind the current elements the first byte lies that has been written, or -1 if none
   * has.
   */
  public long firstTouchedGuard() {
    backend.download(memory, 0, staging);
    MemorySegment behind = staging.asSlice(dtype().byteSize(elements()));
    for (long i = 0; i < behind.byteSize(); i++) {
      if (behind.get(ValueLayout.JAVA_BYTE, i) != GUARD) {
        return i;
      }
    }
    return -1;
  }

  private MemorySegment current() {
    return staging.asSlice(0, dtype().byteSize(elements()));
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
    return extents[axis];
  }

  @Override
  public long elements() {
    return Shape.of(extents).elements();
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

  @Override
  public String toString() {
    return dtype() + Shape.of(extents).toString();
  }

  @Override
  public void close() {
    memory.close();
    arena.close();
  }
}
