package org.llm4msr.runtime.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.GroupedSumOp;
import org.llm4msr.runtime.op.GroupedWeightGradientOp;
import org.llm4msr.runtime.op.MatMulOp;

/**
 * Matrix products, plain and grouped. All are blocked alike: a block of each operand is widened to
 * doubles and multiplied into a block of the result, which is rounded once when it is complete.
 */
final class MatrixKernels {
  /** Rows and columns of a block of the result. */
  private static final int TILE = 128;

  /** Inner extent of a block. */
  private static final int DEPTH = 256;

  private static final int A = 0;
  private static final int B = 1;
  private static final int C = 2;
  private static final int LINE = 3;

  private MatrixKernels() {}

  static Kernel matmul(MatMulOp op, List<Operand> inputs, Operand c, Scratch scratch) {
    Operand a = inputs.get(0);
    Operand b = inputs.get(1);
    Operand bias = op.hasBias() ? inputs.get(2) : null;
    Operand residual = op.hasResidual() ? inputs.get(inputs.size() - 1) : null;
    return () -> {
      long rows = c.dim(0);
      long cols = c.dim(1);
      long inner = a.dim(op.transposeA() ? 0 : 1);
      double[] aBlock = scratch.doubles(A, TILE * DEPTH);
      double[] bBlock = scratch.doubles(B, DEPTH * TILE);
      double[] cBlock = scratch.doubles(C, TILE * TILE);
      double[] line = scratch.doubles(LINE, DEPTH);
      for (long n = 0; n < cols; n += TILE) {
        int nCount = (int) Math.min(TILE, cols - n);
        for (long m = 0; m < rows; m += TILE) {
          int mCount = (int) Math.min(TILE, rows - m);
          Arrays.fill(cBlock, 0, mCount * nCount, 0);
          for (long k = 0; k < inner; k += DEPTH) {
            int kCount = (int) Math.min(DEPTH, inner - k);
            loadBlock(a, 0, rows, inner, op.transposeA(), m, mCount, k, kCount, aBlock, line);
            loadBlock(b, 0, inner, cols, op.transposeB(), k, kCount, n, nCount, bBlock, line);
            Vectors.multiplyAdd(aBlock, bBlock, cBlock, mCount, kCount, nCount);
          }
          for (int i = 0; i < mCount; i++) {
            long at = (m + i) * cols + n;
            if (bias != null) {
              Elements.load(bias, n, line, 0, nCount);
              Vectors.addScaled(1, line, 0, cBlock, i * nCount, nCount);
            }
            if (residual != null) {
              Elements.load(residual, at, line, 0, nCount);
              Vectors.addScaled(1, line, 0, cBlock, i * nCount, nCount);
            }
            Activations.apply(op.activation(), cBlock, i * nCount, nCount);
            Elements.store(cBlock, i * nCount, c, at, nCount);
          }
        }
      }
    };
  }

  static Kernel groupedMatmul(
      GroupedMatMulOp op, List<Operand> inputs, Operand y, Scratch scratch) {
    Operand x = inputs.get(0);
    Operand w = inputs.get(1);
    Grouping grouping = new Grouping(op, inputs.get(2), inputs.get(3), scratch);
    Operand bias = op.hasBias() ? inputs.get(4) : null;
    return () -> {
      int groups = Math.toIntExact(w.dim(0));
      long inner = x.dim(1);
      long cols = y.dim(1);
      grouping.read(x.dim(0), groups);
      double[] xBlock = scratch.doubles(A, TILE * DEPTH);
      double[] wBlock = scratch.doubles(B, DEPTH * TILE);
      double[] yBlock = scratch.doubles(C, TILE * TILE);
      double[] line = scratch.doubles(LINE, DEPTH);
      for (int g = 0; g < groups; g++) {
        for (int m = grouping.begin(g); m < grouping.end(g); m += TILE) {
          int mCount = Math.min(TILE, grouping.end(g) - m);
          for (long n = 0; n < cols; n += TILE) {
            int nCount = (int) Math.min(TILE, cols - n);
            Arrays.fill(yBlock, 0, mCount * nCount, 0);
            for (long k = 0; k < inner; k += DEPTH) {
              int kCount = (int) Math.min(DEPTH, inner - k);
              for (int i = 0; i < mCount; i++) {
                Elements.load(x, grouping.row(m + i) * inner + k, xBlock, i * kCount, kCount);
              }
              loadBlock(
                  w,
                  g * inner * cols,
                  inner,
                  cols,
                  op.transposeW(),
                  k,
                  kCount,
                  n,
                  nCount,
                  wBlock,
                  line);
              Vectors.multiplyAdd(xBlock, wBlock, yBlock, mCount, kCount, nCount);
            }
            for (int i = 0; i < mCount; i++) {
              if (bias != null) {
                Elements.load(bias, g * cols + n, line, 0, nCount);
                Vectors.addScaled(1, line, 0, yBlock, i * nCount, nCount);
              }
              Activations.apply(op.activation(), yBlock, i * nCount, nCount);
              Elements.store(yBlock, i * nCount, y, grouping.row(m + i) * cols + n, nCount);
            }
          }
        }
      }
    };
  }

  static Kernel groupedWeightGradient(
      GroupedWeightGradientOp op, List<Operand> inputs, Operand dw, Scratch scratch) {
    // dW = X^T dY is [K, N]; stored transposed it is dY^T X. Either way: left^T right.
    Operand left = inputs.get(op.transposeW() ? 1 : 0);
    Operand right = inputs.get(op.transposeW() ? 0 : 1);
    Grouping grouping = new Grouping(op, inputs.get(2), inputs.get(3), scratch);
    return () -> {
      int groups = Math.toIntExact(dw.dim(0));
      long rows = dw.dim(1);
      long cols = dw.dim(2);
      grouping.read(left.dim(0), groups);
      double[] leftBlock = scratch.doubles(A, TILE * DEPTH);
      double[] rightBlock = scratch.doubles(B, DEPTH * TILE);
      double[] dwBlock = scratch.doubles(C, TILE * TILE);
      double[] line = scratch.doubles(LINE, DEPTH);
      for (int g = 0; g < groups; g++) {
        for (long m = 0; m < rows; m += TILE) {
          int mCount = (int) Math.min(TILE, rows - m);
          for (long n = 0; n < cols; n += TILE) {
            int nCount = (int) Math.min(TILE, cols - n);
            Arrays.fill(dwBlock, 0, mCount * nCount, 0);
            for (int k = grouping.begin(g); k < grouping.end(g); k += DEPTH) {
              int kCount = Math.min(DEPTH, grouping.end(g) - k);
              for (int p = 0; p < kCount; p++) {
                long row = grouping.row(k + p);
                Elements.load(left, row * rows + m, line, 0, mCount);
                for (int i = 0; i < mCount; i++) {
                  leftBlock[i * kCount + p] = line[i];
                }
                Elements.load(right, row * cols + n, rightBlock, p * nCount, nCount);
              }
              Vectors.multiplyAdd(leftBlock, rightBlock, dwBlock, mCount, kCount, nCount);
            }
            for (int i = 0; i < mCount; i++) {
              Elements.store(dwBlock, i * nCount, dw, (g * rows + m + i) * cols + n, nCount);
            }
          }
        }
      }
    };
  }

  static Kernel groupedSum(GroupedSumOp op, List<Operand> inputs, Operand y, Scratch scratch) {
    Operand x = inputs.get(0);
    Grouping grouping = new Grouping(op, inputs.get(1), inputs.get(2), scratch);
    return () -> {
      int groups = Math.toIntExact(y.dim(0));
      int width = Math.toIntExact(x.dim(1));
      grouping.read(x.dim(0), groups);
      double[] sum = scratch.doubles(C, width);
      double[] line = scratch.doubles(LINE, width);
      for (int g = 0; g < groups; g++) {
        Arrays.fill(sum, 0, width, 0);
        double factor = op.mean() && grouping.size(g) > 0 ? 1.0 / grouping.size(g) : 1;
        for (int i = grouping.begin(g); i < grouping.end(g); i++) {
          Elements.load(x, (long) grouping.row(i) * width, line, 0, width);
          Vectors.addScaled(factor, line, 0, sum, 0, width);
        }
        Elements.store(sum, 0, y, (long) g * width, width);
      }
    };
  }

  /**
   * Loads rows {@code [r, r + rCount)} and columns {@code [c, c + cCount)} of a matrix {@code
   * [rows, cols]} that begins at element {@code base} and is stored {@code [cols, rows]} if
   * transposed.
   */
  private static void loadBlock(
      Operand matrix,
      long base,
      long rows,
      long cols,
      boolean transposed,
      long r,
      int rCount,
      long c,
      int cCount,
      double[] into,
      double[] line) {
    if (!transposed) {
      for (int i = 0; i < rCount; i++) {
        Elements.load(matrix, base + (r + i) * cols + c, into, i * cCount, cCount);
      }
      return;
    }
    for (int j = 0; j < cCount; j++) {
      Elements.load(matrix, base + (c + j) * rows + r, line, 0, rCount);
      for (int i = 0; i < rCount; i++) {
        into[i * cCount + j] = line[i];
      }
    }
  }
}
