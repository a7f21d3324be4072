package org.llm4msr.runtime.backend.reference;

/** Loops over arrays of doubles that the JIT compiler turns into vector instructions. */
final class Vectors {
  private Vectors() {}

  /** {@code y[0..n) += factor * x[0..n)}. */
  static void addScaled(double factor, double[] x, int xAt, double[] y, int yAt, int n) {
    for (int i = 0; i < n; i++) {
      y[yAt + i] += factor * x[xAt + i];
    }
  }

  /**
   * {@code c += a b} with a {@code [m, k]}, b {@code [k, n]}, c {@code [m, n]}. Four rows of b at a
   * time: a row of c is then read and written a quarter as often.
   */
  static void multiplyAdd(double[] a, double[] b, double[] c, int m, int k, int n) {
    for (int i = 0; i < m; i++) {
      int aAt = i * k;
      int cAt = i * n;
      int p = 0;
      for (; p + 4 <= k; p += 4) {
        addFourScaled(a, aAt + p, b, p * n, c, cAt, n);
      }
      for (; p < k; p++) {
        addScaled(a[aAt + p], b, p * n, c, cAt, n);
      }
    }
  }

  private static void addFourScaled(
      double[] a, int aAt, double[] b, int bAt, double[] c, int cAt, int n) {
    double a0 = a[aAt];
    double a1 = a[aAt + 1];
    double a2 = a[aAt + 2];
    double a3 = a[aAt + 3];
    int b1 = bAt + n;
    int b2 = b1 + n;
    int b3 = b2 + n;
    for (int j = 0; j < n; j++) {
      c[cAt + j] += a0 * b[bAt + j] + a1 * b[b1 + j] + a2 * b[b2 + j] + a3 * b[b3 + j];
    }
  }

  static double dot(double[] x, double[] y, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += x[i] * y[i];
    }
    return sum;
  }

  static double sum(double[] x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += x[i];
    }
    return sum;
  }
}
