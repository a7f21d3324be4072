package org.llm4msr.bindings.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Matrix products, dense and with one matrix per group of rows. */
public final class Matrices {
  private static final MethodHandle MATMUL = CpuLibrary.kernel("matmul", "PIILLLPLPLIPPLIPL");

  private static final MethodHandle GROUPED = CpuLibrary.kernel("grouped_matmul", "PLLLLPPIPPPIP");
  private static final MethodHandle WEIGHT_GRADIENT =
      CpuLibrary.kernel("grouped_weight_gradient", "PLLLLPPPPIP");
  private static final MethodHandle SUM = CpuLibrary.kernel("grouped_sum", "PLLLPPPIP");
  private static final MethodHandle FMA_PEAK = CpuLibrary.kernel("fma_peak", "PLP");

  private Matrices() {}

  /**
   * {@code C = activation(op(A) op(B) + bias + residual)}, op(A) {@code [m, k]}, op(B) {@code [k,
   * n]}. C may be the residual, and must not overlap A or B.
   *
   * @param a {@code [m, k]}, or {@code [k, m]} if transposed, rows {@code lda} apart
   * @param b {@code [k, n]}, or {@code [n, k]} if transposed, rows {@code ldb} apart
   * @param bias {@code [n]}, or null
   * @param residual {@code [m, n]}, rows {@code ldr} apart, or null
   * @param c {@code [m, n]}, rows {@code ldc} apart
   */
  public static void matmul(
      CpuPool pool,
      boolean transposeA,
      boolean transposeB,
      long m,
      long n,
      long k,
      MemorySegment a,
      long lda,
      MemorySegment b,
      long ldb,
      StoredType typeB,
      MemorySegment bias,
      MemorySegment residual,
      long ldr,
      Activation activation,
      MemorySegment c,
      long ldc) {
    Checks.floats("a", a, transposeA ? k : m, transposeA ? m : k, lda);
    Checks.stored("b", b, transposeB ? n : k, transposeB ? k : n, ldb, typeB);
    if (typeB.blockSize() > 1 && !transposeB) {
      throw new IllegalArgumentException("b is " + typeB + " and must be transposed");
    }
    MemorySegment biasOrNull = Checks.optional("bias", bias, n);
    MemorySegment residualOrNull =
        residual == null ? MemorySegment.NULL : Checks.floats("residual", residual, m, n, ldr);
    Checks.floats("c", c, m, n, ldc);
    int transA = transposeA ? 1 : 0;
    int transB = transposeB ? 1 : 0;
    try {
      int code =
          (int)
              MATMUL.invokeExact(
                  pool.handle(),
                  transA,
                  transB,
                  m,
                  n,
                  k,
                  a,
                  lda,
                  b,
                  ldb,
                  typeB.ordinal(),
                  biasOrNull,
                  residualOrNull,
                  ldr,
                  activation.ordinal(),
                  c,
                  ldc);
      CpuLibrary.check(code, "matmul");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code y[r] = activation(x[r] W[g] + bias[g])} for row r of group g.
   *
   * @param x {@code [rows, k]}
   * @param w {@code [groups, k, n]}, or {@code [groups, n, k]} if transposed
   * @param order I32 {@code [rows]}, row numbers sorted by group
   * @param offsets I32 {@code [groups + 1]}, where each group begins
   * @param bias {@code [groups, n]}, or null
   * @param y {@code [rows, n]}
   * @throws IllegalArgumentException also if a row or offset is out of range
   */
  public static void groupedMatmul(
      CpuPool pool,
      long rows,
      long n,
      long k,
      long groups,
      MemorySegment x,
      MemorySegment w,
      boolean transposeW,
      MemorySegment order,
      MemorySegment offsets,
      MemorySegment bias,
      Activation activation,
      MemorySegment y) {
    Checks.floats("x", x, rows, k, k);
    Checks.floats("w", w, Checks.product("w", groups, k, n));
    Checks.grouping(order, offsets, rows, groups);
    MemorySegment biasOrNull = Checks.optional("bias", bias, Checks.product("bias", groups, n));
    Checks.floats("y", y, rows, n, n);
    int transW = transposeW ? 1 : 0;
    try {
      int code =
          (int)
              GROUPED.invokeExact(
                  pool.handle(),
                  rows,
                  n,
                  k,
                  groups,
                  x,
                  w,
                  transW,
                  order,
                  offsets,
                  biasOrNull,
                  activation.ordinal(),
                  y);
      CpuLibrary.check(code, "groupedMatmul");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code dw[g] = x_g^T dy_g}, zero for an empty group; the gradient of {@link #groupedMatmul}.
   *
   * @param dw {@code [groups, k, n]}, or {@code [groups, n, k]} if transposed
   * @throws IllegalArgumentException also if a row or offset is out of range
   */
  public static void groupedWeightGradient(
      CpuPool pool,
      long rows,
      long n,
      long k,
      long groups,
      MemorySegment x,
      MemorySegment dy,
      MemorySegment order,
      MemorySegment offsets,
      boolean transposeW,
      MemorySegment dw) {
    Checks.floats("x", x, rows, k, k);
    Checks.floats("dy", dy, rows, n, n);
    Checks.grouping(order, offsets, rows, groups);
    Checks.floats("dw", dw, Checks.product("dw", groups, k, n));
    int transW = transposeW ? 1 : 0;
    try {
      int code =
          (int)
              WEIGHT_GRADIENT.invokeExact(
                  pool.handle(), rows, n, k, groups, x, dy, order, offsets, transW, dw);
      CpuLibrary.check(code, "groupedWeightGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Sum or mean of the rows of each group, zero for an empty group.
   *
   * @param x {@code [rows, width]}
   * @param out {@code [groups, width]}
   * @throws IllegalArgumentException also if a row or offset is out of range
   */
  public static void groupedSum(
      CpuPool pool,
      long rows,
      long width,
      long groups,
      MemorySegment x,
      MemorySegment order,
      MemorySegment offsets,
      boolean mean,
      MemorySegment out) {
    Checks.floats("x", x, rows, width, width);
    Checks.grouping(order, offsets, rows, groups);
    Checks.floats("out", out, groups, width, width);
    int meanFlag = mean ? 1 : 0;
    try {
      int code =
          (int)
              SUM.invokeExact(pool.handle(), rows, width, groups, x, order, offsets, meanFlag, out);
      CpuLibrary.check(code, mean ? "groupedMean" : "groupedSum");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Multiply-adds in registers on the calling thread: the ceiling to measure products against.
   *
   * @return floating-point operations done
   */
  public static double fmaPeak(CpuPool pool, long iterations) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment operations = arena.allocate(ValueLayout.JAVA_DOUBLE);
      CpuLibrary.check(
          (int) FMA_PEAK.invokeExact(pool.handle(), iterations, operations), "fmaPeak");
      return operations.get(ValueLayout.JAVA_DOUBLE, 0);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
