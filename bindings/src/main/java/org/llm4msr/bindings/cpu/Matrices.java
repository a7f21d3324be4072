package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Matrix products. */
public final class Matrices {
  private static final MethodHandle MATMUL = CpuLibrary.kernel("matmul", "PIILLLPLPLIPPLIPL");

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
}
