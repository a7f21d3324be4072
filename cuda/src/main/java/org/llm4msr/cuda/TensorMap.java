package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A CUtensorMap: where a matrix lies, for the unit that copies boxes of it into a group's local
 * memory (Hopper's TMA). It is an argument of a kernel, 128 bytes by value. All are of one kind;
 * see hopper.cuh.
 */
final class TensorMap {
  static final long BYTES = 128;
  static final long ALIGNMENT = 128;

  /** Rows and columns of a box. */
  private static final int BOX = 64;

  private static final int BFLOAT16 = 9;
  private static final int BFLOAT16_BYTES = 2;
  private static final int RANK = 2;
  private static final int NO_INTERLEAVE = 0;
  private static final int SWIZZLE_128_BYTES = 3;
  private static final int PROMOTE_TO_128 = 2;
  private static final int FILL_ZEROS = 0;

  private TensorMap() {}

  /**
   * Writes the map of a BF16 matrix {@code [rows, columns]}; what a box has beyond its edges is
   * zero.
   *
   * @param map {@link #BYTES} bytes, aligned
   * @param address of the first element, a multiple of 16
   * @param rowBytes from row to row, a multiple of 16
   */
  static void encode(MemorySegment map, long address, long rows, long columns, long rowBytes) {
    if (address % 16 != 0 || rowBytes % 16 != 0 || rowBytes < columns * BFLOAT16_BYTES) {
      throw new IllegalArgumentException(
          "a matrix at " + address + " with rows of " + rowBytes + " bytes");
    }
    if (rows < 1 || columns < 1) {
      throw new IllegalArgumentException("boxes of [" + rows + ", " + columns + "]");
    }
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
              arena.allocateFrom(JAVA_INT, BOX, BOX),
              arena.allocateFrom(JAVA_INT, 1, 1),
              NO_INTERLEAVE,
              SWIZZLE_128_BYTES,
              PROMOTE_TO_128,
              FILL_ZEROS);
      CudaException.check(code, "cuTensorMapEncodeTiled");
    }
  }
}
