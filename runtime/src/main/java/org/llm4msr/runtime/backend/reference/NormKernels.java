package org.llm4msr.runtime.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.LayerNormGradientOp;
import org.llm4msr.runtime.op.LayerNormOp;
import org.llm4msr.runtime.op.RmsNormGradientOp;
import org.llm4msr.runtime.op.RmsNormOp;

/** RMS and layer normalisation and softmax: both work on one row at a time. */
final class NormKernels {
  private static final int X = 0;
  private static final int WEIGHT = 1;
  private static final int DY = 2;
  private static final int DWEIGHT = 3;
  private static final int DBIAS = 4;

  private NormKernels() {}

  static Kernel rmsNorm(RmsNormOp op, Operand x, Operand weight, Operand y, Scratch scratch) {
    return () -> {
      int width = Math.toIntExact(weight.dim(0));
      double[] row = scratch.doubles(X, width);
      double[] w = scratch.doubles(WEIGHT, width);
      Elements.load(weight, 0, w, 0, width);
      for (long r = 0; r < x.elements() / width; r++) {
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
      int width = Math.toIntExact(inputs.get(1).dim(0));
      double[] row = scratch.doubles(X, width);
      double[] w = scratch.doubles(WEIGHT, width);
      double[] d = scratch.doubles(DY, width);
      double[] dWeight = scratch.doubles(DWEIGHT, width);
      Elements.load(inputs.get(1), 0, w, 0, width);
      Arrays.fill(dWeight, 0, width, 0);
      for (long r = 0; r < x.elements() / width; r++) {
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

  /** Takes the mean off a row and divides by its deviation; returns the divisor's inverse. */
  private static double standardise(double[] row, int width, double epsilon) {
    double mean = Vectors.sum(row, width) / width;
    for (int i = 0; i < width; i++) {
      row[i] -= mean;
    }
    double inverse = 1 / Math.sqrt(Vectors.dot(row, row, width) / width + epsilon);
    for (int i = 0; i < width; i++) {
      row[i] *= inverse;
    }
    return inverse;
  }

  static Kernel layerNorm(LayerNormOp op, List<Operand> inputs, Operand y, Scratch scratch) {
    Operand x = inputs.get(0);
    return () -> {
      int width = Math.toIntExact(x.dim(1));
      double[] row = scratch.doubles(X, width);
      double[] w = scratch.doubles(WEIGHT, width);
      double[] b = scratch.doubles(DY, width);
      Elements.load(inputs.get(1), 0, w, 0, width);
      Elements.load(inputs.get(2), 0, b, 0, width);
      for (long r = 0; r < x.dim(0); r++) {
        Elements.load(x, r * width, row, 0, width);
        standardise(row, width, op.epsilon());
        for (int i = 0; i < width; i++) {
          row[i] = row[i] * w[i] + b[i];
        }
        Elements.store(row, 0, y, r * width, width);
      }
    };
  }

  static Kernel layerNormGradient(
      LayerNormGradientOp op, List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    Operand x = inputs.get(0);
    Operand dy = inputs.get(2);
    return () -> {
      int width = Math.toIntExact(x.dim(1));
      double[] row = scratch.doubles(X, width);
      double[] w = scratch.doubles(WEIGHT, width);
      double[] d = scratch.doubles(DY, width);
      double[] dWeight = scratch.doubles(DWEIGHT, width);
      double[] dBias = scratch.doubles(DBIAS, width);
      Elements.load(inputs.get(1), 0, w, 0, width);
      Arrays.fill(dWeight, 0, width, 0);
      Arrays.fill(dBias, 0, width, 0);
      for (long r = 0; r < x.dim(0); r++) {
        Elements.load(x, r * width, row, 0, width);
        Elements.load(dy, r * width, d, 0, width);
        double inverse = standardise(row, width, op.epsilon());
        // With n = (x - mean) * inverse: dx = inverse * (w dy - mean(w dy) - n * mean(w dy n)).
        double mean = 0;
        double dot = 0;
        for (int i = 0; i < width; i++) {
          dWeight[i] += d[i] * row[i];
          dBias[i] += d[i];
          d[i] *= w[i];
          mean += d[i] / width;
          dot += d[i] * row[i] / width;
        }
        for (int i = 0; i < width; i++) {
          d[i] = inverse * (d[i] - mean - row[i] * dot);
        }
        Elements.store(d, 0, outputs.get(0), r * width, width);
      }
      Elements.store(dWeight, 0, outputs.get(1), 0, width);
      Elements.store(dBias, 0, outputs.get(2), 0, width);
    };
  }

  static Kernel softmax(Operand x, Operand y, Scratch scratch) {
    return () -> {
      int width = Math.toIntExact(x.dim(1));
      double[] row = scratch.doubles(X, width);
      for (long r = 0; r < x.dim(0); r++) {
        Elements.load(x, r * width, row, 0, width);
        softmax(row, 0, width);
        Elements.store(row, 0, y, r * width, width);
      }
    };
  }

  /** Softmax of a part in place, shifted by the maximum so that nothing overflows. */
  static void softmax(double[] row, int from, int to) {
    double max = Double.NEGATIVE_INFINITY;
    for (int i = from; i < to; i++) {
      max = Math.max(max, row[i]);
    }
    double sum = 0;
    for (int i = from; i < to; i++) {
      row[i] = Math.exp(row[i] - max);
      sum += row[i];
    }
    for (int i = from; i < to; i++) {
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
