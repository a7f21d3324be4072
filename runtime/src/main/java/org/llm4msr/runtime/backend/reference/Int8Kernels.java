package org.llm4msr.runtime.backend.reference;

import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.Int8MatMulOp;

/** Products of 8-bit integers: rounded in float as the operator says, multiplied as integers. */
final class Int8Kernels {
  /** Levels of weights on either side of zero. */
  private static final float LEVELS = 127;

  /** Steps between the least and the largest activation. */
  private static final int STEPS = 255;

  // Slots of scratch memory.
  private static final int LINE = 0;
  private static final int SCALES = 1;
  private static final int ROW = 0;
  private static final int MATRIX = 1;

  private Int8Kernels() {}

  static Kernel matmul(Int8MatMulOp op, List<Operand> inputs, Operand c, Scratch scratch) {
    Operand a = inputs.get(0);
    Operand b = inputs.get(1);
    Operand bias = op.hasBias() ? inputs.get(2) : null;
    Operand residual = op.hasResidual() ? inputs.get(inputs.size() - 1) : null;
    return () -> {
      int cols = Math.toIntExact(c.dim(1));
      int inner = Math.toIntExact(a.dim(1));
      double[] line = scratch.doubles(LINE, Math.max(inner, 2L * cols));
      double[] scales = scratch.doubles(SCALES, cols);
      int[] row = scratch.ints(ROW, inner);
      int[] matrix = scratch.ints(MATRIX, Math.multiplyExact((long) cols, inner));
      for (int j = 0; j < cols; j++) {
        if (op.transposeB()) {
          Elements.load(b, (long) j * inner, line, 0, inner);
        } else {
          for (int p = 0; p < inner; p++) {
            Elements.load(b, (long) p * cols + j, line, p, 1);
          }
        }
        scales[j] = quantiseColumn(line, inner, matrix, j * inner);
      }
      for (long i = 0; i < c.dim(0); i++) {
        Elements.load(a, i * inner, line, 0, inner);
        double scale = quantiseRow(line, inner, row);
        for (int j = 0; j < cols; j++) {
          line[j] = scale * scales[j] * dot(row, matrix, j * inner, inner);
        }
        Elements.addTo(line, 0, cols, bias, 0);
        Elements.addTo(line, 0, cols, residual, i * cols);
        Activations.apply(op.activation(), line, 0, cols);
        Elements.store(line, 0, c, i * cols, cols);
      }
    };
  }

  /** Returns the scale. */
  private static float quantiseColumn(double[] values, int count, int[] into, int at) {
    float largest = Math.max(-bound(values, count, -1), bound(values, count, 1));
    float inverse = inverse(LEVELS, largest);
    for (int i = 0; i < count; i++) {
      into[at + i] = quantised(values[i], inverse);
    }
    return scale(largest, LEVELS, inverse);
  }

  /** Returns the scale. */
  private static float quantiseRow(double[] values, int count, int[] into) {
    float low = bound(values, count, -1);
    float range = bound(values, count, 1) - low;
    float inverse = inverse(STEPS, range);
    int most = STEPS + quantised(low, inverse);
    for (int i = 0; i < count; i++) {
      into[i] = Math.min(quantised(values[i], inverse), most);
    }
    return scale(range, STEPS, inverse);
  }

  /** The least (sign -1) or largest (1) of zero and the values; NaN if one is not finite. */
  private static float bound(double[] values, int count, int sign) {
    float bound = 0;
    for (int i = 0; i < count; i++) {
      float value = (float) values[i];
      if (!Float.isFinite(value)) {
        return Float.NaN;
      }
      bound = sign * Math.max(sign * bound, sign * value);
    }
    return bound;
  }

  /** Zero where the range is zero, so small that its inverse overflows, or not finite. */
  private static float inverse(float levels, float range) {
    float inverse = levels / range;
    return Float.isFinite(range) && Float.isFinite(inverse) ? inverse : 0;
  }

  private static float scale(float range, float levels, float inverse) {
    if (!Float.isFinite(range)) {
      return Float.NaN;
    }
    return inverse == 0 ? 0 : range / levels;
  }

  private static int quantised(double value, float inverse) {
    return inverse == 0 ? 0 : (int) Math.rint((float) value * inverse);
  }

  private static long dot(int[] row, int[] matrix, int at, int count) {
    long sum = 0;
    for (int p = 0; p < count; p++) {
      sum += row[p] * matrix[at + p];
    }
    return sum;
  }
}
