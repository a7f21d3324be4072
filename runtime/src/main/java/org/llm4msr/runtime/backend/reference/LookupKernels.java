package org.llm4msr.runtime.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.ScatterRowsOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.SparseToDenseOp;

/** Table look-ups and their gradients. */
final class LookupKernels {
  private static final int LINE = 0;
  private static final int SUM = 1;

  private LookupKernels() {}

  static Kernel gather(GatherOp op, Operand table, Operand ids, Operand y, Scratch scratch) {
    return () -> {
      int width = Math.toIntExact(table.dim(1));
      double[] line = scratch.doubles(LINE, width);
      for (long i = 0; i < ids.dim(0); i++) {
        long row = Elements.getId(op, ids, i, table.dim(0));
        Elements.load(table, row * width, line, 0, width);
        Elements.store(line, 0, y, i * width, width);
      }
    };
  }

  static Kernel scatterRows(ScatterRowsOp op, List<Operand> inputs) {
    Operand table = inputs.get(0);
    Operand ids = inputs.get(1);
    Operand rows = inputs.get(2);
    return () -> {
      long width = table.dim(1);
      for (long i = 0; i < ids.dim(0); i++) {
        long row = Elements.getId(op, ids, i, table.dim(0));
        Elements.copy(rows, i * width, table, row * width, width);
      }
    };
  }

  static Kernel embeddingConcat(EmbeddingConcatOp op, List<Operand> inputs, Operand y) {
    Operand ids = inputs.get(0);
    int fields = inputs.size() - 1;
    return () -> {
      long at = 0;
      for (long i = 0; i < ids.dim(0); i++) {
        for (int field = 0; field < fields; field++) {
          Operand table = inputs.get(field + 1);
          long width = table.dim(1);
          long row = Elements.getId(op, ids, i * fields + field, table.dim(0));
          Elements.copy(table, row * width, y, at, width);
          at += width;
        }
      }
    };
  }

  static Kernel sparseRowGradient(
      SparseRowGradientOp op, Operand ids, Operand dy, List<Operand> outputs, Scratch scratch) {
    Operand rows = outputs.get(0);
    Operand count = outputs.get(1);
    Operand values = outputs.get(2);
    int width = Math.toIntExact(op.width());
    return () -> {
      boolean all = op.allColumns();
      int batch = Math.toIntExact(all ? ids.elements() : ids.dim(0));
      long idStride = all || ids.rank() == 1 ? 1 : ids.dim(1);
      long dyStride = all ? width : dy.dim(1);
      int column = all ? 0 : op.column();
      // Sorting (id, position) brings equal ids together, in the order of their positions.
      long[] sorted = scratch.longs(batch);
      for (int i = 0; i < batch; i++) {
        long id = Elements.getId(op, ids, i * idStride + column, op.vocabulary());
        sorted[i] = id << 32 | i;
      }
      Arrays.sort(sorted, 0, batch);
      double[] line = scratch.doubles(LINE, width);
      double[] sum = scratch.doubles(SUM, width);
      int distinct = 0;
      for (int i = 0; i < batch; ) {
        int id = (int) (sorted[i] >>> 32);
        Arrays.fill(sum, 0, width, 0);
        for (; i < batch && (int) (sorted[i] >>> 32) == id; i++) {
          long position = (int) sorted[i];
          Elements.load(dy, position * dyStride + op.offset(), line, 0, width);
          Vectors.addScaled(1, line, 0, sum, 0, width);
        }
        Elements.setInt(rows, distinct, id);
        Elements.store(sum, 0, values, (long) distinct * width, width);
        distinct++;
      }
      Elements.setInt(count, 0, distinct);
    };
  }

  static Kernel sparseToDense(SparseToDenseOp op, List<Operand> inputs, Operand y) {
    Operand rows = inputs.get(0);
    Operand values = inputs.get(2);
    return () -> {
      long width = y.dim(1);
      int count = listedRows(op, rows, inputs.get(1), y.dim(0));
      Elements.zero(y, 0, y.elements());
      for (int i = 0; i < count; i++) {
        Elements.copy(values, i * width, y, Elements.getInt(rows, i) * width, width);
      }
    };
  }

  /**
   * How many sparse rows are listed.
   *
   * @throws IllegalArgumentException unless they ascend within a table of {@code size} rows
   */
  static int listedRows(Op op, Operand rows, Operand countOperand, long size) {
    int count = Elements.getInt(countOperand, 0);
    if (count < 0 || count > rows.dim(0)) {
      throw new IllegalArgumentException(
          op.name() + ": count is " + count + ", expected 0 to " + rows.dim(0));
    }
    int before = -1;
    for (int i = 0; i < count; i++) {
      int row = Elements.getId(op, rows, i, size);
      if (row <= before) {
        throw new IllegalArgumentException(
            op.name() + ": row " + row + " follows row " + before + ", expected ascending rows");
      }
      before = row;
    }
    return count;
  }
}
