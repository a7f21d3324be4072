package org.llm4msr.runtime.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AttentionGradientOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.RopeOp;

/** Rotary positions and packed attention. */
final class AttentionKernels {
  private static final int QUERY = 0;
  private static final int KEYS_TRANSPOSED = 1;
  private static final int VALUES = 2;
  private static final int SCORES = 3;
  private static final int RESULT = 4;
  private static final int KEYS = 5;
  private static final int VALUES_TRANSPOSED = 6;
  private static final int D_OUT = 7;
  private static final int D_SCORES = 8;
  private static final int D_KEYS = 9;
  private static final int D_VALUES = 10;
  private static final int SLOPES = 11;

  private AttentionKernels() {}

  static Kernel rope(RopeOp op, List<Operand> inputs, Operand y, Scratch scratch) {
    Operand x = inputs.get(0);
    Operand positions = inputs.get(1);
    Operand inverseFrequencies = inputs.get(2);
    int pairs = op.rotaryDims() / 2;
    int width = op.heads() * op.headDim();
    int stride = op.interleaved() ? 2 : 1;
    int partner = op.interleaved() ? 1 : pairs;
    return () -> {
      double[] row = scratch.doubles(0, width);
      double[] cos = scratch.doubles(1, pairs);
      double[] sin = scratch.doubles(2, pairs);
      for (long t = 0; t < x.dim(0); t++) {
        double position = Elements.getInt(positions, t);
        for (int i = 0; i < pairs; i++) {
          double angle = position * Elements.get(inverseFrequencies, i);
          cos[i] = op.scale() * Math.cos(angle);
          sin[i] = op.scale() * (op.inverse() ? -Math.sin(angle) : Math.sin(angle));
        }
        Elements.load(x, t * width, row, 0, width);
        for (int head = 0; head < op.heads(); head++) {
          for (int i = 0; i < pairs; i++) {
            int first = head * op.headDim() + i * stride;
            int second = first + partner;
            double a = row[first];
            double b = row[second];
            row[first] = a * cos[i] - b * sin[i];
            row[second] = b * cos[i] + a * sin[i];
          }
        }
        Elements.store(row, 0, y, t * width, width);
      }
    };
  }

  static Kernel attention(AttentionOp op, List<Operand> inputs, Operand out, Scratch scratch) {
    Operand q = inputs.get(0);
    Operand k = inputs.get(1);
    Operand v = inputs.get(2);
    Operand offsetsOperand = inputs.get(3);
    int dim = op.headDim();
    int group = op.heads() / op.kvHeads();
    return () -> {
      int[] offsets = scratch.ints(0, offsetsOperand.dim(0));
      int sequences = Elements.loadOffsets(op, offsetsOperand, q.dim(0), offsets);
      double[] query = scratch.doubles(QUERY, dim);
      double[] result = scratch.doubles(RESULT, dim);
      for (int s = 0; s < sequences; s++) {
        int queries = offsets[s + 1] - offsets[s];
        int begin = inputs.size() == 4 ? offsets[s] : Elements.getInt(inputs.get(4), s);
        int end = inputs.size() == 4 ? offsets[s + 1] : Elements.getInt(inputs.get(5), s);
        requireKeys(op, s, begin, end, k.dim(0), queries);
        int length = end - begin;
        double[] keysT = scratch.doubles(KEYS_TRANSPOSED, (long) length * dim);
        double[] values = scratch.doubles(VALUES, (long) length * dim);
        double[] scores = scratch.doubles(SCORES, length);
        for (int kvHead = 0; kvHead < op.kvHeads(); kvHead++) {
          loadHead(k, op.kvHeads(), kvHead, begin, length, dim, values);
          transpose(values, length, dim, keysT);
          loadHead(v, op.kvHeads(), kvHead, begin, length, dim, values);
          for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
            for (int t = 0; t < queries; t++) {
              long at = (long) (offsets[s] + t) * op.heads() * dim + head * dim;
              int position = length - queries + t;
              int from = firstKey(op.mask(), position);
              int to = lastKey(op.mask(), position, length);
              Elements.load(q, at, query, 0, dim);
              scores(op, query, keysT, length, from, to, scores);
              NormKernels.softmax(scores, from, to);
              Arrays.fill(result, 0, dim, 0);
              for (int j = from; j < to; j++) {
                Vectors.addScaled(scores[j], values, j * dim, result, 0, dim);
              }
              Elements.store(result, 0, out, at, dim);
            }
          }
        }
      }
    };
  }

  private static void requireKeys(
      AttentionOp op, int sequence, int begin, int end, long rows, int queries) {
    if (begin < 0 || end > rows || (long) end - begin < queries) {
      throw new IllegalArgumentException(
          op.name()
              + ": sequence "
              + sequence
              + " has the keys "
              + begin
              + " to "
              + end
              + " of "
              + rows
              + ", expected at least as many as its "
              + queries
              + " queries");
    }
  }

  /** The first key that a query at {@code position} sees. */
  private static int firstKey(AttentionOp.Mask mask, int position) {
    return Math.max(0, position - mask.before());
  }

  /** One past the last key that a query at {@code position} sees. */
  private static int lastKey(AttentionOp.Mask mask, int position, int length) {
    return (int) Math.min(length, position + 1L + mask.after());
  }

  static Kernel gradient(
      AttentionGradientOp op, List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    AttentionOp forward = op.forward();
    double cap = forward.mask().softCap();
    Operand q = inputs.get(0);
    Operand offsetsOperand = inputs.get(3);
    int dim = forward.headDim();
    int kvHeads = forward.kvHeads();
    int group = forward.heads() / kvHeads;
    return () -> {
      int[] offsets = scratch.ints(0, offsetsOperand.dim(0));
      int sequences = Elements.loadOffsets(op, offsetsOperand, q.dim(0), offsets);
      double[] query = scratch.doubles(QUERY, dim);
      double[] dOut = scratch.doubles(D_OUT, dim);
      double[] dQuery = scratch.doubles(RESULT, dim);
      for (int s = 0; s < sequences; s++) {
        int begin = offsets[s];
        int length = offsets[s + 1] - begin;
        double[] keys = scratch.doubles(KEYS, (long) length * dim);
        double[] keysT = scratch.doubles(KEYS_TRANSPOSED, (long) length * dim);
        double[] values = scratch.doubles(VALUES, (long) length * dim);
        double[] valuesT = scratch.doubles(VALUES_TRANSPOSED, (long) length * dim);
        double[] dKeys = scratch.doubles(D_KEYS, (long) length * dim);
        double[] dValues = scratch.doubles(D_VALUES, (long) length * dim);
        double[] p = scratch.doubles(SCORES, length);
        double[] dp = scratch.doubles(D_SCORES, length);
        double[] slope = scratch.doubles(SLOPES, length);
        for (int kvHead = 0; kvHead < kvHeads; kvHead++) {
          loadHead(inputs.get(1), kvHeads, kvHead, begin, length, dim, keys);
          transpose(keys, length, dim, keysT);
          loadHead(inputs.get(2), kvHeads, kvHead, begin, length, dim, values);
          transpose(values, length, dim, valuesT);
          Arrays.fill(dKeys, 0, length * dim, 0);
          Arrays.fill(dValues, 0, length * dim, 0);
          for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
            for (int t = 0; t < length; t++) {
              long at = (long) (begin + t) * forward.heads() * dim + head * dim;
              int from = firstKey(forward.mask(), t);
              int to = lastKey(forward.mask(), t, length);
              Elements.load(q, at, query, 0, dim);
              Elements.load(inputs.get(4), at, dOut, 0, dim);
              scores(forward, query, keysT, length, from, to, p);
              for (int j = from; j < to; j++) {
                double capped = cap > 0 ? p[j] / cap : 0;
                slope[j] = 1 - capped * capped;
              }
              NormKernels.softmax(p, from, to);
              Arrays.fill(dp, from, to, 0);
              for (int d = 0; d < dim; d++) {
                Vectors.addScaled(dOut[d], valuesT, d * length + from, dp, from, to - from);
              }
              double dot = 0;
              for (int j = from; j < to; j++) {
                dot += p[j] * dp[j];
              }
              Arrays.fill(dQuery, 0, dim, 0);
              for (int j = from; j < to; j++) {
                double dScore = p[j] * (dp[j] - dot) * forward.scale() * slope[j];
                Vectors.addScaled(dScore, keys, j * dim, dQuery, 0, dim);
                Vectors.addScaled(dScore, query, 0, dKeys, j * dim, dim);
                Vectors.addScaled(p[j], dOut, 0, dValues, j * dim, dim);
              }
              Elements.store(dQuery, 0, outputs.get(0), at, dim);
            }
          }
          storeHead(dKeys, outputs.get(1), kvHeads, kvHead, begin, length, dim);
          storeHead(dValues, outputs.get(2), kvHeads, kvHead, begin, length, dim);
        }
      }
    };
  }

  /** Scaled, capped scores of the keys {@code [from, to)} out of {@code length}. */
  private static void scores(
      AttentionOp op, double[] query, double[] keysT, int length, int from, int to, double[] into) {
    Arrays.fill(into, from, to, 0);
    for (int d = 0; d < op.headDim(); d++) {
      Vectors.addScaled(op.scale() * query[d], keysT, d * length + from, into, from, to - from);
    }
    double cap = op.mask().softCap();
    if (cap > 0) {
      for (int j = from; j < to; j++) {
        into[j] = cap * Math.tanh(into[j] / cap);
      }
    }
  }

  /** Loads one head of a sequence as {@code [length, dim]}. */
  private static void loadHead(
      Operand from, int heads, int head, int begin, int length, int dim, double[] into) {
    for (int t = 0; t < length; t++) {
      long at = (long) (begin + t) * heads * dim + head * dim;
      Elements.load(from, at, into, t * dim, dim);
    }
  }

  private static void storeHead(
      double[] from, Operand to, int heads, int head, int begin, int length, int dim) {
    for (int t = 0; t < length; t++) {
      long at = (long) (begin + t) * heads * dim + head * dim;
      Elements.store(from, t * dim, to, at, dim);
    }
  }

  private static void transpose(double[] from, int rows, int cols, double[] into) {
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < cols; c++) {
        into[c * rows + r] = from[r * cols + c];
      }
    }
  }
}
