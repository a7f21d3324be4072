package org.llm4msr.runtime.backend.reference;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.quant.QuantisedBlocks;

/**
 * Moves runs of elements between operands and arrays of doubles, which all arithmetic of this
 * backend is done in: one type switch per run keeps the loops fast.
 */
final class Elements {
  /** Elements that elementwise kernels handle at a time; they stay in the first-level cache. */
  static final int CHUNK = 1024;

  private Elements() {}

  /** Reads {@code count} elements of {@code from}, beginning with element {@code index}. */
  static void load(Operand from, long index, double[] into, int at, int count) {
    MemorySegment memory = from.segment();
    switch (from.dtype()) {
      case F32 -> {
        long byteOffset = index * Float.BYTES;
        for (int i = 0; i < count; i++) {
          into[at + i] =
              memory.get(ValueLayout.JAVA_FLOAT_UNALIGNED, byteOffset + (long) i * Float.BYTES);
        }
      }
      case F64 ->
          MemorySegment.copy(
              memory, ValueLayout.JAVA_DOUBLE_UNALIGNED, index * Double.BYTES, into, at, count);
      case F16 -> {
        long byteOffset = index * Short.BYTES;
        for (int i = 0; i < count; i++) {
          short bits =
              memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, byteOffset + (long) i * Short.BYTES);
          into[at + i] = Float.float16ToFloat(bits);
        }
      }
      case BF16 -> {
        long byteOffset = index * Short.BYTES;
        for (int i = 0; i < count; i++) {
          short bits =
              memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, byteOffset + (long) i * Short.BYTES);
          into[at + i] = Float.intBitsToFloat(bits << 16);
        }
      }
      case I32, I64, U8 ->
          throw new IllegalArgumentException("no real elements in " + from.dtype());
      default -> QuantisedBlocks.load(from.dtype(), memory, index, into, at, count);
    }
  }

  /** Writes {@code count} elements of {@code to}, rounding once. */
  static void store(double[] from, int at, Operand to, long index, int count) {
    MemorySegment memory = to.segment();
    switch (to.dtype()) {
      case F32 -> {
        long byteOffset = index * Float.BYTES;
        for (int i = 0; i < count; i++) {
          memory.set(
              ValueLayout.JAVA_FLOAT_UNALIGNED,
              byteOffset + (long) i * Float.BYTES,
              (float) from[at + i]);
        }
      }
      case F64 ->
          MemorySegment.copy(
              from, at, memory, ValueLayout.JAVA_DOUBLE_UNALIGNED, index * Double.BYTES, count);
      default -> throw new IllegalArgumentException("results are not stored as " + to.dtype());
    }
  }

  /**
   * Adds {@code count} elements from {@code index} on to those of a line from {@code at} on; the
   * same number behind them is room to load into.
   *
   * @param addend null adds nothing
   */
  static void addTo(double[] line, int at, int count, Operand addend, long index) {
    if (addend != null) {
      load(addend, index, line, at + count, count);
      Vectors.addScaled(1, line, at + count, line, at, count);
    }
  }

  /** Copies elements between operands of one type. */
  static void copy(Operand from, long fromIndex, Operand to, long toIndex, long count) {
    DType dtype = from.dtype();
    MemorySegment.copy(
        from.segment(),
        dtype.byteSize(fromIndex),
        to.segment(),
        dtype.byteSize(toIndex),
        dtype.byteSize(count));
  }

  /** Sets {@code count} elements to zero, which is all bits zero in every unquantised type. */
  static void zero(Operand to, long index, long count) {
    DType dtype = to.dtype();
    to.segment().asSlice(dtype.byteSize(index), dtype.byteSize(count)).fill((byte) 0);
  }

  static double get(Operand from, long index) {
    return from.dtype().get(from.segment(), index);
  }

  static void set(Operand to, long index, double value) {
    to.dtype().set(to.segment(), index, value);
  }

  static int getInt(Operand from, long index) {
    return from.segment().get(ValueLayout.JAVA_INT_UNALIGNED, index * Integer.BYTES);
  }

  static void setInt(Operand to, long index, int value) {
    to.segment().set(ValueLayout.JAVA_INT_UNALIGNED, index * Integer.BYTES, value);
  }

  /** Element {@code index} of {@code ids}, checked against a table's number of rows. */
  static int getId(Op op, Operand ids, long index, long rows) {
    int id = getInt(ids, index);
    if (id < 0 || id >= rows) {
      throw new IllegalArgumentException(
          op.name() + ": id " + id + " at " + index + " is outside a table of " + rows + " rows");
    }
    return id;
  }

  /**
   * Reads group or sequence boundaries, which must ascend from 0 to {@code total}.
   *
   * @return how many groups there are
   * @throws IllegalArgumentException naming the operator and the boundary that is wrong
   */
  static int loadOffsets(Op op, Operand offsets, long total, int[] into) {
    int groups = Math.toIntExact(offsets.dim(0)) - 1;
    if (groups < 0) {
      throw new IllegalArgumentException(op.name() + ": offsets are empty, expected at least [0]");
    }
    for (int g = 0; g <= groups; g++) {
      int offset = getInt(offsets, g);
      int least = g == 0 ? 0 : into[g - 1];
      if (offset < least || offset > total || g == 0 && offset != 0) {
        throw new IllegalArgumentException(
            op.name()
                + ": offsets["
                + g
                + "] is "
                + offset
                + ", expected "
                + (g == 0 ? "0" : least + " to " + total));
      }
      into[g] = offset;
    }
    if (into[groups] != total) {
      throw new IllegalArgumentException(
          op.name() + ": offsets end at " + into[groups] + ", expected " + total);
    }
    return groups;
  }
}
