package org.llm4msr.runtime.backend.reference;

import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.BlockInt8MatMulOp;

/** Products of weights as they are with activations that are rounded in blocks. */
final class BlockInt8Kernels {
  private static final int BLOCK = BlockInt8MatMulOp.BLOCK;

  /** Levels on either side of zero. */
  private static final float LEVELS = 127;

  // Slots of scratch memory.
  private static final int LINE = 0;
  private static final int WEIGHTS = 1;

  private BlockInt8Kernels() {}

  static Kernel matmul(BlockInt8MatMulOp op, List<Operand> inputs, Operand c, Scratch scratch) {
    Operand a = inputs.get(0);
    Operand b = inputs.get(1);
    Operand bias = op.hasBias() ? inputs.get(2) : null;
    Operand residual = op.hasResidual() ? inputs.get(inputs.size() - 1) : null;
    return () -> {
      int cols = Math.toIntExact(c.dim(1));
      int inner = Math.toIntExact(a.dim(1));
      double[] line = scratch.doubles(LINE, inner + 2L * cols);
      double[] weights = scratch.doubles(WEIGHTS, Math.multiplyExact((long) cols, inner));
      Elements.load(b, 0, weights, 0, cols * inner);
      for (long i = 0; i < c.dim(0); i++) {
        Elements.load(a, i * inner, line, 0, inner);
        for (int p = 0; p < inner; p += BLOCK) {
          round(line, p);
        }
        for (int j = 0; j < cols; j++) {
          line[inner + j] = dot(line, weights, j * inner, inner);
        }
        Elements.addTo(line, inner, cols, bias, 0);
        Elements.addTo(line, inner, cols, residual, i * cols);
        Activations.apply(op.activation(), line, inner, cols);
        Elements.store(line, inner, c, i * cols, cols);
      }
    };
  }

  private static double dot(double[] row, double[] weights, int at, int count) {
    double sum = 0;
    for (int p = 0; p < count; p++) {
      sum += row[p] * weights[at + p];
    }
    return sum;
  }

  /** Rounds one block in place. */
  private static void round(double[] x, int at) {
    float largest = 0;
    for (int i = 0; i < BLOCK; i++) {
      // NaN stays NaN.
      largest = Math.max(largest, Math.abs((float) x[at + i]));
    }
    float inverse = LEVELS / largest;
    for (int i = 0; i < BLOCK; i++) {
      if (!Float.isFinite(largest)) {
        x[at + i] = Double.NaN;
      } else if (Float.isFinite(inverse)) {
        x[at + i] = (float) Math.rint((float) x[at + i] * inverse) * (double) (largest / LEVELS);
      } else {
        x[at + i] = 0;
      }
    }
  }
}
