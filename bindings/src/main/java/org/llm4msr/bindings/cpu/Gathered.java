package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Products with rows that are looked up in a table, and read there. */
public final class Gathered {
  /** Columns up to which the rows are not packed, so that each is read once. */
  public static final long NARROW = 32;

  private static final MethodHandle MATMUL = CpuLibrary.kernel("gathered_matmul", "PLLLLPPIPPIP");
  private static final MethodHandle WEIGHT_GRADIENT =
      CpuLibrary.kernel("gathered_weight_gradient", "PLLLLPPPIPP");

  private Gathered() {}

  /**
   * {@code C = activation(table[ids] op(B) + bias)}, op(B) {@code [k, n]}.
   *
   * @param table F32 {@code [vocabulary, k]}
   * @param ids I32 {@code [m]}
   * @param b F32 {@code [k, n]}, or {@code [n, k]} if transposed
   * @param bias {@code [n]}, or null
   * @param c {@code [m, n]}, must not overlap the others
   * @throws IllegalArgumentException also if an id is out of range; names it
   */
  public static void matmul(
      CpuPool pool,
      long m,
      long n,
      long k,
      long vocabulary,
      MemorySegment table,
      MemorySegment ids,
      boolean transposeB,
      MemorySegment b,
      MemorySegment bias,
      Activation activation,
      MemorySegment c) {
    Checks.floats("table", table, Checks.product("table", vocabulary, k));
    Checks.ints("ids", ids, m);
    Checks.floats("b", b, Checks.product("b", k, n));
    MemorySegment biasOrNull = Checks.optional("bias", bias, n);
    Checks.floats("c", c, Checks.product("c", m, n));
    int transB = transposeB ? 1 : 0;
    try {
      int code =
          (int)
              MATMUL.invokeExact(
                  pool.handle(),
                  m,
                  n,
                  k,
                  vocabulary,
                  table,
                  ids,
                  transB,
                  b,
                  biasOrNull,
                  activation.ordinal(),
                  c);
      Tables.check(code, "gatheredMatmul", ids, m, 1, 0, vocabulary);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code dw = table[ids]^T dy}, and the sums of dy's rows: the gradients of {@link #matmul}.
   *
   * @param table F32 {@code [vocabulary, k]}
   * @param ids I32 {@code [rows]}
   * @param dy {@code [rows, n]}
   * @param dw {@code [k, n]}, or {@code [n, k]} if transposed
   * @param db {@code [n]}, only if transposed, or null
   * @throws IllegalArgumentException also if an id is out of range; names it
   */
  public static void weightGradient(
      CpuPool pool,
      long rows,
      long n,
      long k,
      long vocabulary,
      MemorySegment table,
      MemorySegment ids,
      MemorySegment dy,
      boolean transposeW,
      MemorySegment dw,
      MemorySegment db) {
    Checks.floats("table", table, Checks.product("table", vocabulary, k));
    Checks.ints("ids", ids, rows);
    Checks.floats("dy", dy, Checks.product("dy", rows, n));
    Checks.floats("dw", dw, Checks.product("dw", k, n));
    MemorySegment sums = Checks.optional("db", db, n);
    if (db != null && !transposeW) {
      throw new IllegalArgumentException("db is only computed beside a transposed dw");
    }
    int transW = transposeW ? 1 : 0;
    try {
      int code =
          (int)
              WEIGHT_GRADIENT.invokeExact(
                  pool.handle(), rows, n, k, vocabulary, table, ids, dy, transW, dw, sums);
      Tables.check(code, "gatheredWeightGradient", ids, rows, 1, 0, vocabulary);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
