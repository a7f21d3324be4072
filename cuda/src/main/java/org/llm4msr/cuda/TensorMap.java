package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * A CUtensorMap: where a matrix lies, for the unit that copies boxes of it into a group's local
 * memory (Hopper's TMA). It is an argument of a kernel, 128 bytes by value.
 */
final class TensorMap {
  static final long BYTES = 128;
  static final long ALIGNMENT = 128;

  /** How rows of a box are swizzled against bank conflicts: CUtensorMapSwizzle. */
  enum Swizzle {
    NONE,
    BYTES_32,
    BYTES_64,
    BYTES_128
  }

  private static final int BFLOAT16 = 9;
  private static final int BFLOAT16_BYTES = 2;
  private static final int RANK = 2;
  private static final int NO_INTERLEAVE = 0;
  private static final int PROMOTE_TO_128 = 2;
  private static final int FILL_ZEROS = 0;

  private TensorMap() {}

  /**
   * A map of a BF16 matrix {@code [rows, columns]}; what a box has beyond its edges is zero.
   *
   * @param address of the first element, a multiple of 16
   * @param rowBytes from row to row, a multiple of 16
   * @param boxRows at most 256
   * @param boxColumns at most 256
   */
  static MemorySegment ofBfloat16(
      SegmentAllocator allocator,
      long address,
      long rows,
      long columns,
      long rowBytes,
      int boxRows,
      int boxColumns,
      Swizzle swizzle) {
    if (address % 16 != 0 || rowBytes % 16 != 0 || rowBytes < columns * BFLOAT16_BYTES) {
      throw new IllegalArgumentException(
          "a matrix at " + address + " with rows of " + rowBytes + " bytes");
    }
    if (rows < 1 || columns < 1 || outside(boxRows) || outside(boxColumns)) {
      throw new IllegalArgumentException(
          "boxes [%d, %d] of [%d, %d]".formatted(boxRows, boxColumns, rows, columns));
    }
    MemorySegment map = allocator.allocate(BYTES, ALIGNMENT);
    try (Arena arena = Arena.ofConfined()) {
      // The innermost extent first; its own step goes without saying.
      int code =
          Driver.encodeTiled(
              map,
              BFLOAT16,
              RANK,
              address,
              arena.allocateFrom(JAVA_LONG, columns, rows),
              arena.allocateFrom(JAVA_LONG, rowBytes),
              arena.allocateFrom(JAVA_INT, boxColumns, boxRows),
              arena.allocateFrom(JAVA_INT, 1, 1),
              NO_INTERLEAVE,
              swizzle.ordinal(),
              PROMOTE_TO_128,
              FILL_ZEROS);
      CudaException.check(code, "cuTensorMapEncodeTiled");
    }
    return map;
  }

  private static boolean outside(int boxExtent) {
    return boxExtent < 1 || boxExtent > 256;
  }
}
