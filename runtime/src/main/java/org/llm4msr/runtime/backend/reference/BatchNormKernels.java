package org.llm4msr.runtime.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.GroupedBatchNormGradientOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;

/** Batch normalisation with statistics per group of rows. */
final class BatchNormKernels {
  private static final int LINE = 0;
  private static final int MEAN = 1;
  private static final int VARIANCE = 2;
  private static final int SCALE = 3;
  private static final int SHIFT = 4;
  private static final int RUNNING = 5;
  private static final int DY = 6;

  private BatchNormKernels() {}

  static Kernel forward(
      GroupedBatchNormOp op, List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    Operand x = inputs.get(0);
    Grouping grouping = new Grouping(op, inputs.get(1), inputs.get(2), scratch);
    Operand runningMean = inputs.get(5);
    Operand runningVariance = inputs.get(6);
    return () -> {
      int width = Math.toIntExact(x.dim(1));
      int groups = Math.toIntExact(inputs.get(3).dim(0));
      grouping.read(x.dim(0), groups);
      double[] line = scratch.doubles(LINE, width);
      double[] mean = scratch.doubles(MEAN, width);
      double[] variance = scratch.doubles(VARIANCE, width);
      double[] scale = scratch.doubles(SCALE, width);
      double[] shift = scratch.doubles(SHIFT, width);
      for (int g = 0; g < groups; g++) {
        long at = (long) g * width;
        if (op.training() && grouping.size(g) >= 2) {
          statistics(x, grouping, g, width, mean, variance, line);
          double unbiased = grouping.size(g) / (grouping.size(g) - 1.0);
          moveTowards(runningMean, at, mean, 1, op.momentum(), width, scratch);
          moveTowards(runningVariance, at, variance, unbiased, op.momentum(), width, scratch);
        } else {
          Elements.load(runningMean, at, mean, 0, width);
          Elements.load(runningVariance, at, variance, 0, width);
        }
        double[] inverseStd = variance;
        for (int i = 0; i < width; i++) {
          inverseStd[i] = 1 / Math.sqrt(variance[i] + op.epsilon());
        }
        Elements.store(mean, 0, outputs.get(1), at, width);
        Elements.store(inverseStd, 0, outputs.get(2), at, width);
        Elements.load(inputs.get(3), at, scale, 0, width);
        Elements.load(inputs.get(4), at, shift, 0, width);
        for (int r = grouping.begin(g); r < grouping.end(g); r++) {
          long row = (long) grouping.row(r) * width;
          Elements.load(x, row, line, 0, width);
          for (int i = 0; i < width; i++) {
            line[i] = (line[i] - mean[i]) * inverseStd[i] * scale[i] + shift[i];
          }
          Elements.store(line, 0, outputs.get(0), row, width);
        }
      }
    };
  }

  /** Mean and biased variance of a group's rows, in two passes. */
  private static void statistics(
      Operand x,
      Grouping grouping,
      int group,
      int width,
      double[] mean,
      double[] variance,
      double[] line) {
    double factor = 1.0 / grouping.size(group);
    Arrays.fill(mean, 0, width, 0);
    Arrays.fill(variance, 0, width, 0);
    for (int r = grouping.begin(group); r < grouping.end(group); r++) {
      Elements.load(x, (long) grouping.row(r) * width, line, 0, width);
      Vectors.addScaled(factor, line, 0, mean, 0, width);
    }
    for (int r = grouping.begin(group); r < grouping.end(group); r++) {
      Elements.load(x, (long) grouping.row(r) * width, line, 0, width);
      for (int i = 0; i < width; i++) {
        variance[i] += factor * (line[i] - mean[i]) * (line[i] - mean[i]);
      }
    }
  }

  private static void moveTowards(
      Operand running,
      long at,
      double[] batch,
      double factor,
      double momentum,
      int width,
      Scratch scratch) {
    double[] line = scratch.doubles(RUNNING, width);
    Elements.load(running, at, line, 0, width);
    for (int i = 0; i < width; i++) {
      line[i] += momentum * (factor * batch[i] - line[i]);
    }
    Elements.store(line, 0, running, at, width);
  }

  static Kernel gradient(
      GroupedBatchNormGradientOp op, List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    Operand x = inputs.get(0);
    Operand dy = inputs.get(6);
    Grouping grouping = new Grouping(op, inputs.get(1), inputs.get(2), scratch);
    return () -> {
      int width = Math.toIntExact(x.dim(1));
      int groups = Math.toIntExact(inputs.get(3).dim(0));
      grouping.read(x.dim(0), groups);
      double[] line = scratch.doubles(LINE, width);
      double[] mean = scratch.doubles(MEAN, width);
      double[] inverseStd = scratch.doubles(VARIANCE, width);
      double[] scale = scratch.doubles(SCALE, width);
      double[] d = scratch.doubles(DY, width);
      double[] dShift = scratch.doubles(SHIFT, width);
      double[] dScale = scratch.doubles(RUNNING, width);
      for (int g = 0; g < groups; g++) {
        long at = (long) g * width;
        Elements.load(inputs.get(3), at, scale, 0, width);
        Elements.load(inputs.get(4), at, mean, 0, width);
        Elements.load(inputs.get(5), at, inverseStd, 0, width);
        Arrays.fill(dShift, 0, width, 0);
        Arrays.fill(dScale, 0, width, 0);
        for (int r = grouping.begin(g); r < grouping.end(g); r++) {
          long row = (long) grouping.row(r) * width;
          Elements.load(x, row, line, 0, width);
          Elements.load(dy, row, d, 0, width);
          for (int i = 0; i < width; i++) {
            dShift[i] += d[i];
            dScale[i] += d[i] * (line[i] - mean[i]) * inverseStd[i];
          }
        }
        Elements.store(dScale, 0, outputs.get(1), at, width);
        Elements.store(dShift, 0, outputs.get(2), at, width);
        // With n = (x - mean) * inverseStd: dx = scale * inverseStd * (dy - mean(dy) - n *
        // mean(dy n)); the means are absent where the statistics are constants.
        double share = op.training() && grouping.size(g) >= 2 ? 1.0 / grouping.size(g) : 0;
        for (int r = grouping.begin(g); r < grouping.end(g); r++) {
          long row = (long) grouping.row(r) * width;
          Elements.load(x, row, line, 0, width);
          Elements.load(dy, row, d, 0, width);
          for (int i = 0; i < width; i++) {
            double normed = (line[i] - mean[i]) * inverseStd[i];
            double through = share * (dShift[i] + normed * dScale[i]);
            d[i] = scale[i] * inverseStd[i] * (d[i] - through);
          }
          Elements.store(d, 0, outputs.get(0), row, width);
        }
      }
    };
  }
}
