package org.llm4msr.bindings.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Products with a matrix that is packed once for many of them. How it lies depends on the selected
 * {@link Isa}; another one refuses it.
 */
public final class Panels {
  private static final MethodHandle BYTES = CpuLibrary.kernel("panel_bytes", "LLIP");
  private static final MethodHandle PACK = CpuLibrary.kernel("pack_panels", "PILLPLIP");
  private static final MethodHandle MATMUL = CpuLibrary.kernel("matmul_panels", "PLLLPLPIPPLIPL");

  /** A cache line; the header takes one. */
  private static final int ALIGNMENT = 64;

  static final int HEADER_BYTES = 64;

  /** Columns of a panel with the widest vectors. */
  private static final long WIDEST = 32;

  private Panels() {}

  /**
   * Bytes of a packed B.
   *
   * @param type F32, BF16 or F16
   */
  public static long bytes(long n, long k, StoredType type) {
    requireUnquantised(type);
    // The last panel is filled up.
    Checks.product("b", Math.addExact(Checks.size("n", n), WIDEST), k, type.blockBytes());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);
      CpuLibrary.check((int) BYTES.invokeExact(n, k, type.ordinal(), bytes), "panelBytes");
      return bytes.get(ValueLayout.JAVA_LONG, 0);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Packs B.
   *
   * @param b {@code [k, n]}, or {@code [n, k]} if transposed, rows {@code ldb} apart
   * @param type F32, BF16 or F16
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
    requireRoom(packed, bytes(n, k, type));
    int transB = transposeB ? 1 : 0;
    try {
      int code =
          (int) PACK.invokeExact(pool.handle(), transB, n, k, b, ldb, type.ordinal(), packed);
      CpuLibrary.check(code, "packPanels");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code C = activation(A B + bias + residual)}, as {@link Matrices#matmul}.
   *
   * @param a {@code [m, k]}, rows {@code lda} apart
   * @param packed B as {@link #pack} left it
   * @param bias {@code [n]}, or null
   * @param residual {@code [m, n]}, rows {@code ldr} apart, or null
   * @param c {@code [m, n]}, rows {@code ldc} apart
   * @throws IllegalArgumentException also if B was packed with other extents, as another type or
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
      CpuLibrary.check(code, "matmulPanels");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  private static void requireUnquantised(StoredType type) {
    if (type.blockSize() > 1) {
      throw new IllegalArgumentException("panels of " + type + ": expected F32, BF16 or F16");
    }
  }

  static void requireRoom(MemorySegment packed, long bytes) {
    if (!packed.isNative() || packed.byteSize() < bytes || packed.address() % ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          "packed has "
              + packed.byteSize()
              + " bytes at "
              + packed.address()
              + ": expected native memory of "
              + bytes
              + ", aligned to "
              + ALIGNMENT);
    }
  }

  /** The panels' width stands in front; the kernel compares it with its own. */
  private static void requirePacked(MemorySegment packed, long n, long k, StoredType type) {
    requireUnquantised(type);
    requireRoom(packed, HEADER_BYTES);
    int width = packed.get(ValueLayout.JAVA_INT, 0);
    if (width < 1) {
      throw new IllegalArgumentException("packed does not hold panels");
    }
    long columns = Math.multiplyExact(Math.ceilDiv(Checks.size("n", n), width), (long) width);
    long elements = Checks.product("b", columns, k);
    requireRoom(packed, HEADER_BYTES + Math.multiplyExact(elements, (long) type.blockBytes()));
  }
}
