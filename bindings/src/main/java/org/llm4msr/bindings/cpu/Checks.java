package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;

/** What must hold before native code sees a pointer. Messages name the argument. */
final class Checks {
  private Checks() {}

  /** {@code rows} rows of {@code cols} floats, {@code ld} apart; returns the segment itself. */
  static MemorySegment floats(String name, MemorySegment segment, long rows, long cols, long ld) {
    leading(name, rows, cols, ld);
    return memory(name, segment, span(rows, cols, ld), Float.BYTES);
  }

  static MemorySegment floats(String name, MemorySegment segment, long count) {
    return memory(name, segment, count, Float.BYTES);
  }

  static MemorySegment ints(String name, MemorySegment segment, long count) {
    return memory(name, segment, count, Integer.BYTES);
  }

  static MemorySegment longs(String name, MemorySegment segment, long count) {
    return memory(name, segment, count, Long.BYTES);
  }

  /** {@code count} ids, {@code stride} apart. */
  static MemorySegment ids(String name, MemorySegment segment, long count, long stride) {
    if (stride < 1) {
      throw new IllegalArgumentException(
          "the stride of " + name + " must be positive, but is " + stride);
    }
    return ints(name, segment, span(size(name, count), 1, stride));
  }

  static MemorySegment doubles(String name, MemorySegment segment, long count) {
    return memory(name, segment, count, Double.BYTES);
  }

  /** Like {@link #floats}, of a stored type; quantised rows are of whole blocks. */
  static MemorySegment stored(
      String name, MemorySegment segment, long rows, long cols, long ld, StoredType type) {
    leading(name, rows, cols, ld);
    int blockSize = type.blockSize();
    if (blockSize == 1) {
      return memory(name, segment, span(rows, cols, ld), type.blockBytes());
    }
    if (cols % blockSize != 0 || ld % blockSize != 0) {
      throw new IllegalArgumentException(
          name
              + " is "
              + type
              + ": expected its columns "
              + cols
              + " and its leading dimension "
              + ld
              + " to be multiples of "
              + blockSize);
    }
    long blocks = span(rows, cols, ld) / blockSize;
    return memory(name, segment, Math.multiplyExact(blocks, (long) type.blockBytes()), 1);
  }

  /** NULL for an argument that is not given. */
  static MemorySegment optional(String name, MemorySegment segment, long count) {
    return segment == null ? MemorySegment.NULL : floats(name, segment, count);
  }

  static long size(String name, long value) {
    if (value < 0) {
      throw new IllegalArgumentException(name + " must not be negative, but is " + value);
    }
    return value;
  }

  /** Of one of a thing's sizes; messages are put together only when something is wrong. */
  private static long size(String what, String name, long value) {
    if (value < 0) {
      throw new IllegalArgumentException(
          what + " of " + name + " must not be negative, but is " + value);
    }
    return value;
  }

  static void positive(String name, long value) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " must be positive, but is " + value);
    }
  }

  /** Extents multiplied, none of them negative. */
  static long product(String name, long... extents) {
    long product = 1;
    for (long extent : extents) {
      product = Math.multiplyExact(product, size("an extent", name, extent));
    }
    return product;
  }

  /** {@code order [rows]} and {@code offsets [groups + 1]}; the kernel checks what they hold. */
  static void grouping(MemorySegment order, MemorySegment offsets, long rows, long groups) {
    ints("order", order, rows);
    ints("offsets", offsets, size("groups", groups) + 1);
  }

  private static void leading(String name, long rows, long cols, long ld) {
    size("the rows", name, rows);
    size("the columns", name, cols);
    if (ld < cols) {
      throw new IllegalArgumentException(
          "the leading dimension of " + name + " is " + ld + ", less than its columns " + cols);
    }
  }

  private static long span(long rows, long cols, long ld) {
    return rows == 0 || cols == 0 ? 0 : Math.addExact(Math.multiplyExact(rows - 1, ld), cols);
  }

  private static MemorySegment memory(
      String name, MemorySegment segment, long count, int elementBytes) {
    if (segment == null) {
      throw new IllegalArgumentException(name + " is missing");
    }
    if (!segment.isNative()) {
      throw new IllegalArgumentException(name + " must be native memory, not on the heap");
    }
    long needed = Math.multiplyExact(size("the elements", name, count), (long) elementBytes);
    if (segment.byteSize() < needed) {
      throw new IllegalArgumentException(
          name + " needs " + needed + " bytes, but has " + segment.byteSize());
    }
    if (segment.address() % elementBytes != 0) {
      throw new IllegalArgumentException(
          name + " is not aligned to its elements of " + elementBytes + " bytes");
    }
    return segment;
  }
}
