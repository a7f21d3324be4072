package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Products of blocks of columns with a matrix each: the layers of experts side by side. */
public final class Blocks {
  private static final MethodHandle MATMUL = CpuLibrary.kernel("block_matmul", "PLLLLPPIPIPP");
  private static final MethodHandle WEIGHT_GRADIENT =
      CpuLibrary.kernel("block_weight_gradient", "PLLLLPPIPP");

  private Blocks() {}

  /**
   * {@code y_g = activation(x_g W[g] + bias[g])}, zero where {@code gate} is not positive.
   *
   * @param x {@code [rows, groups * k]}
   * @param w {@code [groups, k, n]}, or {@code [groups, n, k]} if transposed
   * @param bias {@code [groups, n]}, or null
   * @param gate {@code [rows, groups * n]}, or null
   * @param y {@code [rows, groups * n]}, must not overlap the others
   */
  public static void matmul(
      CpuPool pool,
      long rows,
      long n,
      long k,
      long groups,
      MemorySegment x,
      MemorySegment w,
      boolean transposeW,
      MemorySegment bias,
      Activation activation,
      MemorySegment gate,
      MemorySegment y) {
    Checks.floats("x", x, Checks.product("x", rows, groups, k));
    Checks.floats("w", w, Checks.product("w", groups, k, n));
    MemorySegment biasOrNull = Checks.optional("bias", bias, Checks.product("bias", groups, n));
    MemorySegment gateOrNull =
        Checks.optional("gate", gate, Checks.product("gate", rows, groups, n));
    Checks.floats("y", y, Checks.product("y", rows, groups, n));
    int transW = transposeW ? 1 : 0;
    try {
      int code =
          (int)
              MATMUL.invokeExact(
                  pool.handle(),
                  rows,
                  n,
                  k,
                  groups,
                  x,
                  w,
                  transW,
                  biasOrNull,
                  activation.ordinal(),
                  gateOrNull,
                  y);
      CpuLibrary.check(code, "blockMatmul");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code dw[g] = x_g^T dy_g}, and the sums of dy's rows: the gradients of {@link #matmul}.
   *
   * @param x {@code [rows, groups * k]}
   * @param dy {@code [rows, groups * n]}
   * @param dw {@code [groups, k, n]}, or {@code [groups, n, k]} if transposed
   * @param db {@code [groups, n]}, only if transposed, or null
   */
  public static void weightGradient(
      CpuPool pool,
      long rows,
      long n,
      long k,
      long groups,
      MemorySegment x,
      MemorySegment dy,
      boolean transposeW,
      MemorySegment dw,
      MemorySegment db) {
    Checks.floats("x", x, Checks.product("x", rows, groups, k));
    Checks.floats("dy", dy, Checks.product("dy", rows, groups, n));
    Checks.floats("dw", dw, Checks.product("dw", groups, k, n));
    MemorySegment sums = Checks.optional("db", db, Checks.product("db", groups, n));
    if (db != null && !transposeW) {
      throw new IllegalArgumentException("db is only computed beside a transposed dw");
    }
    int transW = transposeW ? 1 : 0;
    try {
      int code =
          (int)
              WEIGHT_GRADIENT.invokeExact(
                  pool.handle(), rows, n, k, groups, x, dy, transW, dw, sums);
      CpuLibrary.check(code, "blockWeightGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
