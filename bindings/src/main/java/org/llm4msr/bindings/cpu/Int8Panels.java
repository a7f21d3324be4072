package org.llm4msr.bindings.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Products with a matrix of 8-bit integers that is packed once, one scale for each of its columns.
 * The rows of A are quantised in each product, one scale and zero point for each. Sums of integers
 * are exact: the same on every {@link Isa}.
 */
public final class Int8Panels {
  private static final MethodHandle BYTES = CpuLibrary.kernel("int8_panel_bytes", "LLP");
  private static final MethodHandle PACK = CpuLibrary.kernel("pack_int8", "PILLPLIP");
  private static final MethodHandle MATMUL = CpuLibrary.kernel("matmul_int8", "PLLLPLPPPLIPL");
  private static final MethodHandle PEAK = CpuLibrary.kernel("int8_peak", "PLP");

  /** Longest inner extent whose sums fit into 32 bits for certain. */
  public static final long MAX_K = 65_536;

  /** Columns of a panel with the widest vectors. */
  private static final long WIDEST = 32;

  /** Of one element with its share of what stands beside it. */
  private static final int MOST_BYTES = 16;

  private Int8Panels() {}

  /** Bytes of a packed B for the selected instruction set. */
  public static long bytes(long n, long k) {
    requireInner(k);
    Checks.product("b", Math.addExact(Checks.size("n", n), WIDEST), k + 1, MOST_BYTES);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);
      CpuLibrary.check((int) BYTES.invokeExact(n, k, bytes), "int8PanelBytes");
      return bytes.get(ValueLayout.JAVA_LONG, 0);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Quantises and packs B.
   *
   * @param b {@code [k, n]}, or {@code [n, k]} if transposed, rows {@code ldb} apart
   * @param type of B; it must be transposed if that is quantised
   * @param packed {@link #bytes} zeros, 64-byte aligned
   */
  public static void pack(
      CpuPool pool,
      boolean transposeB,
      long n,
      long k,
      MemorySegment b,
      long ldb,
      StoredType type,
      MemorySegment packed) {
    Checks.stored("b", b, transposeB ? n : k, transposeB ? k : n, ldb, type);
    if (type.blockSize() > 1 && !transposeB) {
      throw new IllegalArgumentException("b is " + type + " and must be transposed");
    }
    Panels.requireRoom(packed, bytes(n, k));
    int transB = transposeB ? 1 : 0;
    try {
      int code =
          (int) PACK.invokeExact(pool.handle(), transB, n, k, b, ldb, type.ordinal(), packed);
      CpuLibrary.check(code, "packInt8");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code C = activation(A B + bias + residual)}, A and B in 8 bits. A row or column that is not
   * finite gives NaN.
   *
   * @param a {@code [m, k]}, rows {@code lda} apart
   * @param packed B as {@link #pack} left it
   * @param bias {@code [n]}, or null
   * @param residual {@code [m, n]}, rows {@code ldr} apart, or null
   * @param c {@code [m, n]}, rows {@code ldc} apart; it may be the residual
   * @throws IllegalArgumentException also if B was packed with other extents or for another
   *     instruction set
   */
  public static void matmul(
      CpuPool pool,
      long m,
      long n,
      long k,
      MemorySegment a,
      long lda,
      MemorySegment packed,
      MemorySegment bias,
      MemorySegment residual,
      long ldr,
      Activation activation,
      MemorySegment c,
      long ldc) {
    Checks.floats("a", a, m, k, lda);
    requirePacked(packed, n, k);
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
                  biasOrNull,
                  residualOrNull,
                  ldr,
                  activation.ordinal(),
                  c,
                  ldc);
      CpuLibrary.check(code, "matmulInt8");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Multiply-adds of 8-bit integers in registers on the calling thread: the ceiling to measure
   * products against.
   *
   * @return operations done, two for each multiply-add
   */
  public static double peak(CpuPool pool, long iterations) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment operations = arena.allocate(ValueLayout.JAVA_DOUBLE);
      CpuLibrary.check((int) PEAK.invokeExact(pool.handle(), iterations, operations), "int8Peak");
      return operations.get(ValueLayout.JAVA_DOUBLE, 0);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  private static void requireInner(long k) {
    if (Checks.size("k", k) > MAX_K) {
      throw new IllegalArgumentException(
          "k is " + k + ": sums of more than " + MAX_K + " products may not fit into 32 bits");
    }
  }

  /**
   * What stands in front says how B was packed, which the kernel compares with its own form; room
   * for that many bytes is checked here.
   */
  private static void requirePacked(MemorySegment packed, long n, long k) {
    requireInner(k);
    Panels.requireRoom(packed, Panels.HEADER_BYTES);
    int width = packed.get(ValueLayout.JAVA_INT, 0);
    int group = packed.get(ValueLayout.JAVA_INT, Integer.BYTES) - 0x100;
    if (width < 1 || width > WIDEST || group != 1 && group != 2 && group != 4) {
      throw new IllegalArgumentException("packed does not hold panels of 8-bit integers");
    }
    long columns = Math.ceilDiv(Checks.size("n", n), width) * (long) width;
    // A scale and a sum, and 32 bits for each group of k; in the reference a scale and bytes.
    long perColumn = group == 1 ? Float.BYTES + k : 8 + Math.ceilDiv(k, group) * Integer.BYTES;
    Panels.requireRoom(packed, Panels.HEADER_BYTES + Math.multiplyExact(columns, perColumn));
  }
}
