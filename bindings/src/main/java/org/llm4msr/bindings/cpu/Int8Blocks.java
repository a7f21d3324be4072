package org.llm4msr.bindings.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Products with a matrix in blocks that is packed once and keeps its blocks' scales. The rows of A
 * are rounded to 8 bits in each product, one scale for each 32 of them. Sums of a block are
 * integers and exact: the same on every {@link Isa}.
 */
public final class Int8Blocks {
  private static final MethodHandle BYTES = CpuLibrary.kernel("int8_block_bytes", "LLIP");
  private static final MethodHandle PACK = CpuLibrary.kernel("pack_int8_blocks", "PLLPLIP");
  private static final MethodHandle MATMUL =
      CpuLibrary.kernel("matmul_int8_blocks", "PLLLPLPIPPLIPL");

  /** Columns of a panel with the widest vectors. */
  private static final long WIDEST = 32;

  /** Elements that share a scale of A. */
  private static final int BLOCK = 32;

  /** What the header's type begins with. */
  private static final int TYPE = 0x200;

  private Int8Blocks() {}

  /** Whether there are such products with weights of this type. */
  public static boolean takes(StoredType type) {
    return switch (type) {
      case Q8_0, Q4_0, Q4_K, Q6_K -> true;
      default -> false;
    };
  }

  /**
   * Bytes of a packed B for the selected instruction set.
   *
   * @param k in whole blocks of the type
   */
  public static long bytes(long n, long k, StoredType type) {
    requireBlocks(k, type);
    Checks.product("b", Math.addExact(Checks.size("n", n), WIDEST), k + 1, 2);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);
      CpuLibrary.check((int) BYTES.invokeExact(n, k, type.ordinal(), bytes), "int8BlockBytes");
      return bytes.get(ValueLayout.JAVA_LONG, 0);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Packs B.
   *
   * @param b {@code [n, k]}, rows {@code ldb} apart
   * @param type of B, one that {@link #takes} allows
   * @param packed {@link #bytes} zeros, 64-byte aligned
   */
  public static void pack(
      CpuPool pool,
      long n,
      long k,
      MemorySegment b,
      long ldb,
      StoredType type,
      MemorySegment packed) {
    requireBlocks(k, type);
    Checks.stored("b", b, n, k, ldb, type);
    Panels.requireRoom(packed, bytes(n, k, type));
    try {
      int code = (int) PACK.invokeExact(pool.handle(), n, k, b, ldb, type.ordinal(), packed);
      CpuLibrary.check(code, "packInt8Blocks");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code C = activation(A B^T + bias + residual)}, A in blocks of 8 bits, B as it is. A block of
   * A that is not finite gives NaN.
   *
   * @param a {@code [m, k]}, rows {@code lda} apart
   * @param packed B as {@link #pack} left it
   * @param type of B
   * @param bias {@code [n]}, or null
   * @param residual {@code [m, n]}, rows {@code ldr} apart, or null
   * @param c {@code [m, n]}, rows {@code ldc} apart; it may be the residual
   * @throws IllegalArgumentException also if B was packed with other extents, from another type or
   *     for another instruction set
   */
  public static void matmul(
      CpuPool pool,
      long m,
      long n,
      long k,
      MemorySegment a,
      long lda,
      MemorySegment packed,
      StoredType type,
      MemorySegment bias,
      MemorySegment residual,
      long ldr,
      Activation activation,
      MemorySegment c,
      long ldc) {
    Checks.floats("a", a, m, k, lda);
    requirePacked(packed, n, k, type);
    MemorySegment biasOrNull = Checks.optional("bias", bias, n);
    MemorySegment residualOrNull =
        residual == null ? MemorySegment.NULL : Checks.floats("residual", residual, m, n, ldr);
    Checks.floats("c", c, m, n, ldc);
    try {
      int code =
          (int)
              MATMUL.invokeExact(
                  pool.handle(),
                  m,
                  n,
                  k,
                  a,
                  lda,
                  packed,
                  type.ordinal(),
                  biasOrNull,
                  residualOrNull,
                  ldr,
                  activation.ordinal(),
                  c,
                  ldc);
      CpuLibrary.check(code, "matmulInt8Blocks");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  private static void requireBlocks(long k, StoredType type) {
    if (!takes(type)) {
      throw new IllegalArgumentException(
          "products of blocks of " + type + ": expected Q8_0, Q4_0, Q4_K or Q6_K");
    }
    if (Checks.size("k", k) % type.blockSize() != 0) {
      throw new IllegalArgumentException(
          "k is " + k + ": expected whole blocks of " + type.blockSize() + " for " + type);
    }
  }

  /**
   * What stands in front says how B was packed, which the kernel compares with its own form; room
   * for that many bytes is checked here.
   */
  private static void requirePacked(MemorySegment packed, long n, long k, StoredType type) {
    requireBlocks(k, type);
    Panels.requireRoom(packed, Panels.HEADER_BYTES);
    int width = packed.get(ValueLayout.JAVA_INT, 0);
    int form = packed.get(ValueLayout.JAVA_INT, Integer.BYTES) - TYPE - type.ordinal();
    int types = StoredType.values().length;
    if (width < 1 || width > WIDEST || form != types && form != 2 * types && form != 4 * types) {
      throw new IllegalArgumentException("packed does not hold panels of blocks of " + type);
    }
    long columns = Math.ceilDiv(Checks.size("n", n), width) * (long) width;
    // The reference keeps the blocks themselves.
    long bytes =
        form == types
            ? Math.multiplyExact(columns, k / type.blockSize() * type.blockBytes())
            : Math.multiplyExact(columns, k / BLOCK * blockBytes(type));
    Panels.requireRoom(packed, Panels.HEADER_BYTES + bytes);
  }

  /** Of 32 elements in a panel: their codes, then scales and minima in float. */
  private static long blockBytes(StoredType type) {
    return switch (type) {
      case Q4_0 -> BLOCK / 2 + Float.BYTES;
      case Q4_K -> BLOCK / 2 + 2 * Float.BYTES;
      case Q6_K -> BLOCK + 2 * Float.BYTES;
      default -> BLOCK + Float.BYTES;
    };
  }
}
