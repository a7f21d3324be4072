package org.llm4msr.runtime.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.RmsNormGradientOp;
import org.llm4msr.runtime.op.RmsNormOp;

/** RMS normalisation and softmax: both work on one row at a time. */
final class NormKernels {
  private static final int X = 0;
  private static final int WEIGHT = 1;
  private static final int DY = 2;
  private static final int DWEIGHT = 3;

  private NormKernels() {}

  static Kernel rmsNorm(RmsNormOp op, Operand x, Operand weight, Operand y, Scratch scratch) {
    return () -> {
      int width = Math.toIntExact(x.dim(1));
      double[] row = scratch.doubles(X, width);
      double[] w = scratch.doubles(WEIGHT, width);
      Elements.load(weight, 0, w, 0, width);
      for (long r = 0; r < x.dim(0); r++) {
        Elements.load(x, r * width, row, 0, width);
        double inverseRms = inverseRms(row, width, op.epsilon());
        for (int i = 0; i < width; i++) {
          row[i] *= inverseRms * w[i];
        }
        Elements.store(row, 0, y, r * width, width);
      }
    };
  }

  static Kernel rmsNormGradient(
      RmsNormGradientOp op, List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    Operand x = inputs.get(0);
    Operand dy = inputs.get(2);
    return () -> {
      int width = Math.toIntExact(x.dim(1));
      double[] row = scratch.doubles(X, width);
      double[] w = scratch.doubles(WEIGHT, width);
      double[] d = scratch.doubles(DY, width);
      double[] dWeight = scratch.doubles(DWEIGHT, width);
      Elements.load(inputs.get(1), 0, w, 0, width);
      Arrays.fill(dWeight, 0, width, 0);
      for (long r = 0; r < x.dim(0); r++) {
        Elements.load(x, r * width, row, 0, width);
        Elements.load(dy, r * width, d, 0, width);
        double inverseRms = inverseRms(row, width, op.epsilon());
        // With n = x * inverseRms: dx = inverseRms * (w dy - n * mean(w dy n)).
        double mean = 0;
        for (int i = 0; i < width; i++) {
          double normed = row[i] * inverseRms;
          dWeight[i] += d[i] * normed;
          mean += w[i] * d[i] * normed / width;
        }
        for (int i = 0; i < width; i++) {
          d[i] = inverseRms * (w[i] * d[i] - row[i] * inverseRms * mean);
        }
        Elements.store(d, 0, outputs.get(0), r * width, width);
      }
      Elements.store(dWeight, 0, outputs.get(1), 0, width);
    };
  }

  private static double inverseRms(double[] row, int width, double epsilon) {
    return 1 / Math.sqrt(Vectors.dot(row, row, width) / width + epsilon);
  }

  static Kernel softmax(Operand x, Operand y, Scratch scratch) {
    return () -> {
      int width = Math.toIntExact(x.dim(1));
      double[] row = scratch.doubles(X, width);
      for (long r = 0; r < x.dim(0); r++) {
        Elements.load(x, r * width, row, 0, width);
        softmax(row, width);
        Elements.store(row, 0, y, r * width, width);
      }
    };
  }

  /** Softmax in place, shifted by the maximum so that nothing overflows. */
  static void softmax(double[] row, int width) {
    double max = Vectors.max(row, width);
    double sum = 0;
    for (int i = 0; i < width; i++) {
      row[i] = Math.exp(row[i] - max);
      sum += row[i];
    }
    for (int i = 0; i < width; i++) {
      row[i] /= sum;
    }
  }

  static Kernel softmaxGradient(Operand y, Operand dy, Operand dx, Scratch scratch) {
    return () -> {
      int width = Math.toIntExact(y.dim(1));
      double[] row = scratch.doubles(X, width);
      double[] d = scratch.doubles(DY, width);
      for (long r = 0; r < y.dim(0); r++) {
        Elements.load(y, r * width, row, 0, width);
        Elements.load(dy, r * width, d, 0, width);
        double dot = Vectors.dot(row, d, width);
        for (int i = 0; i < width; i++) {
          d[i] = row[i] * (d[i] - dot);
        }
        Elements.store(d, 0, dx, r * width, width);
      }
    };
  }
}
