package org.llm4msr.runtime.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.runtime.op.MatMulOp;

/** The blocked product against three plain loops, with extents around the block sizes. */
class ReferenceMatMulTest {
  @ParameterizedTest
  @CsvSource({
    "1, 1, 1",
    "3, 5, 7",
    "128, 256, 128",
    "129, 257, 130",
    "2, 1000, 1",
    "1, 0, 3",
    "260, 3, 1"
  })
  void equalsThePlainLoops(int m, int k, int n) {
    Random random = new Random(7);
    double[] a = random.doubles((long) m * k, -1, 1).toArray();
    double[] b = random.doubles((long) k * n, -1, 1).toArray();
    for (boolean transposeA : new boolean[] {false, true}) {
      for (boolean transposeB : new boolean[] {false, true}) {
        double[] c = run(new MatMulOp(transposeA, transposeB, false, false, null), a, b, m, k, n);
        for (int i = 0; i < m; i++) {
          for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++) {
              sum += a[transposeA ? p * m + i : i * k + p] * b[transposeB ? j * k + p : p * n + j];
            }
            assertThat(c[i * n + j]).isCloseTo(sum, within(1e-12));
          }
        }
      }
    }
  }

  private static double[] run(MatMulOp op, double[] a, double[] b, int m, int k, int n) {
    return Applied.apply(
            op,
            op.transposeA() ? Applied.real(a, k, m) : Applied.real(a, m, k),
            op.transposeB() ? Applied.real(b, n, k) : Applied.real(b, k, n))
        .output();
  }
}
