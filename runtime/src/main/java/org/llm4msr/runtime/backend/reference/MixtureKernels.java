package org.llm4msr.runtime.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;

/**
 * Experts: one matrix per block of columns, and each row's mixture of its blocks; products with a
 * matrix of each row's own; blocks that a query weighs.
 */
final class MixtureKernels {
  private static final int X = 0;
  private static final int W = 1;
  private static final int Y = 2;
  private static final int D = 3;
  private static final int QUERY = 4;
  private static final int WEIGHTS = 5;

  private MixtureKernels() {}

  static Kernel blockMatmul(BlockMatMulOp op, List<Operand> inputs, Operand y, Scratch scratch) {
    Operand x = inputs.get(0);
    Operand w = inputs.get(1);
    return () -> {
      int groups = Math.toIntExact(w.dim(0));
      int inner = Math.toIntExact(x.dim(1)) / groups;
      int width = Math.toIntExact(y.dim(1)) / groups;
      double[] row = scratch.doubles(X, inner);
      double[] sums = scratch.doubles(Y, width);
      double[] matrix = scratch.doubles(W, (long) inner * width);
      for (int g = 0; g < groups; g++) {
        Elements.load(w, (long) g * inner * width, matrix, 0, inner * width);
        for (long r = 0; r < x.dim(0); r++) {
          Elements.load(x, (r * groups + g) * inner, row, 0, inner);
          if (op.hasBias()) {
            Elements.load(inputs.get(2), (long) g * width, sums, 0, width);
          } else {
            Arrays.fill(sums, 0, width, 0);
          }
          for (int i = 0; i < inner; i++) {
            for (int j = 0; j < width; j++) {
              sums[j] += row[i] * matrix[op.transposeW() ? j * inner + i : i * width + j];
            }
          }
          Activations.apply(op.activation(), sums, 0, width);
          for (int j = 0; op.gated() && j < width; j++) {
            double gate = Elements.get(inputs.getLast(), (r * groups + g) * width + j);
            sums[j] = gate > 0 ? sums[j] : 0;
          }
          Elements.store(sums, 0, y, (r * groups + g) * width, width);
        }
      }
    };
  }

  static Kernel blockWeightGradient(
      BlockWeightGradientOp op, List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    Operand x = inputs.get(0);
    Operand dy = inputs.get(1);
    return () -> {
      int groups = Math.toIntExact(op.groups());
      int inner = Math.toIntExact(x.dim(1)) / groups;
      int width = Math.toIntExact(dy.dim(1)) / groups;
      double[] row = scratch.doubles(X, inner);
      double[] d = scratch.doubles(D, width);
      double[] sums = scratch.doubles(W, (long) inner * width);
      double[] bias = scratch.doubles(Y, width);
      for (int g = 0; g < groups; g++) {
        Arrays.fill(sums, 0, inner * width, 0);
        Arrays.fill(bias, 0, width, 0);
        for (long r = 0; r < x.dim(0); r++) {
          Elements.load(x, (r * groups + g) * inner, row, 0, inner);
          Elements.load(dy, (r * groups + g) * width, d, 0, width);
          Vectors.addScaled(1, d, 0, bias, 0, width);
          for (int i = 0; i < inner; i++) {
            for (int j = 0; j < width; j++) {
              sums[op.transposeW() ? j * inner + i : i * width + j] += row[i] * d[j];
            }
          }
        }
        Elements.store(sums, 0, outputs.get(0), (long) g * inner * width, inner * width);
        if (op.withBias()) {
          Elements.store(bias, 0, outputs.get(1), (long) g * width, width);
        }
      }
    };
  }

  static Kernel mixture(List<Operand> inputs, Operand y, Scratch scratch) {
    Operand gate = inputs.get(0);
    return () -> {
      int width = Math.toIntExact(y.dim(1));
      double[] block = scratch.doubles(X, width);
      double[] sums = scratch.doubles(Y, width);
      for (long r = 0; r < y.dim(0); r++) {
        Arrays.fill(sums, 0, width, 0);
        int k = 0;
        for (Operand x : inputs.subList(1, inputs.size())) {
          for (long at = r * x.dim(1); at < (r + 1) * x.dim(1); at += width, k++) {
            Elements.load(x, at, block, 0, width);
            double factor = Elements.get(gate, r * gate.dim(1) + k);
            Vectors.addScaled(factor, block, 0, sums, 0, width);
          }
        }
        Elements.store(sums, 0, y, r * width, width);
      }
    };
  }

  static Kernel mixtureGradient(List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    Operand gate = inputs.getFirst();
    Operand dy = inputs.getLast();
    return () -> {
      int width = Math.toIntExact(dy.dim(1));
      double[] block = scratch.doubles(X, width);
      double[] d = scratch.doubles(D, width);
      for (long r = 0; r < dy.dim(0); r++) {
        Elements.load(dy, r * width, d, 0, width);
        long k = r * gate.dim(1);
        for (int part = 1; part < outputs.size(); part++) {
          Operand x = inputs.get(part);
          for (long at = r * x.dim(1); at < (r + 1) * x.dim(1); at += width, k++) {
            Elements.load(x, at, block, 0, width);
            Elements.set(outputs.get(0), k, Vectors.dot(d, block, width));
            Arrays.fill(block, 0, width, 0);
            Vectors.addScaled(Elements.get(gate, k), d, 0, block, 0, width);
            Elements.store(block, 0, outputs.get(part), at, width);
          }
        }
      }
    };
  }

  static Kernel matVec(List<Operand> inputs, Operand y, Scratch scratch) {
    Operand m = inputs.get(0);
    Operand v = inputs.get(1);
    return () -> {
      int width = Math.toIntExact(v.dim(1));
      double[] vector = scratch.doubles(X, width);
      double[] row = scratch.doubles(W, width);
      for (long r = 0; r < y.dim(0); r++) {
        Elements.load(v, r * width, vector, 0, width);
        for (long i = r * y.dim(1); i < (r + 1) * y.dim(1); i++) {
          Elements.load(m, i * width, row, 0, width);
          Elements.set(y, i, Vectors.dot(row, vector, width));
        }
      }
    };
  }

  static Kernel outerProduct(List<Operand> inputs, Operand y, Scratch scratch) {
    Operand a = inputs.get(0);
    Operand b = inputs.get(1);
    return () -> {
      int width = Math.toIntExact(b.dim(1));
      double[] row = scratch.doubles(X, width);
      double[] product = scratch.doubles(Y, width);
      for (long r = 0; r < y.dim(0); r++) {
        Elements.load(b, r * width, row, 0, width);
        for (long i = r * a.dim(1); i < (r + 1) * a.dim(1); i++) {
          Arrays.fill(product, 0, width, 0);
          Vectors.addScaled(Elements.get(a, i), row, 0, product, 0, width);
          Elements.store(product, 0, y, i * width, width);
        }
      }
    };
  }

  static Kernel attentionPooling(List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    Operand q = inputs.get(0);
    Operand x = inputs.get(1);
    Operand present = inputs.get(2);
    return () -> {
      int length = Math.toIntExact(present.dim(1));
      int width = Math.toIntExact(q.dim(1));
      double[] query = scratch.doubles(QUERY, width);
      double[] element = scratch.doubles(X, width);
      double[] sums = scratch.doubles(Y, width);
      double[] weights = scratch.doubles(WEIGHTS, length);
      for (long r = 0; r < q.dim(0); r++) {
        Elements.load(q, r * width, query, 0, width);
        for (int k = 0; k < length; k++) {
          weights[k] = Double.NEGATIVE_INFINITY;
          if (Elements.get(present, r * length + k) != 0) {
            Elements.load(x, (r * length + k) * width, element, 0, width);
            weights[k] = Vectors.dot(query, element, width);
          }
        }
        NormKernels.softmax(weights, 0, length);
        Arrays.fill(sums, 0, width, 0);
        for (int k = 0; k < length; k++) {
          if (Elements.get(present, r * length + k) == 0) {
            weights[k] = 0;
          } else {
            Elements.load(x, (r * length + k) * width, element, 0, width);
            Vectors.addScaled(weights[k], element, 0, sums, 0, width);
          }
        }
        Elements.store(sums, 0, outputs.get(0), r * width, width);
        Elements.store(weights, 0, outputs.get(1), r * length, length);
      }
    };
  }

  static Kernel attentionPoolingGradient(
      List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    Operand q = inputs.get(0);
    Operand x = inputs.get(1);
    Operand a = inputs.get(2);
    Operand y = inputs.get(3);
    Operand dy = inputs.get(4);
    return () -> {
      int length = Math.toIntExact(a.dim(1));
      int width = Math.toIntExact(q.dim(1));
      double[] query = scratch.doubles(QUERY, width);
      double[] element = scratch.doubles(X, width);
      double[] d = scratch.doubles(D, width);
      double[] dQuery = scratch.doubles(W, width);
      double[] sums = scratch.doubles(Y, width);
      for (long r = 0; r < q.dim(0); r++) {
        Elements.load(q, r * width, query, 0, width);
        Elements.load(dy, r * width, d, 0, width);
        Elements.load(y, r * width, sums, 0, width);
        double mean = Vectors.dot(d, sums, width);
        Arrays.fill(dQuery, 0, width, 0);
        for (int k = 0; k < length; k++) {
          long at = r * length + k;
          double weight = Elements.get(a, at);
          Arrays.fill(sums, 0, width, 0);
          if (weight != 0) {
            Elements.load(x, at * width, element, 0, width);
            double slope = weight * (Vectors.dot(d, element, width) - mean);
            Vectors.addScaled(slope, element, 0, dQuery, 0, width);
            Vectors.addScaled(weight, d, 0, sums, 0, width);
            Vectors.addScaled(slope, query, 0, sums, 0, width);
          }
          Elements.store(sums, 0, outputs.get(1), at * width, width);
        }
        Elements.store(dQuery, 0, outputs.get(0), r * width, width);
      }
    };
  }
}
