package org.llm4msr.runtime.backend.reference;

import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.Op;

/**
 * Rows sorted by group, read and checked anew in every run: the rows of group g are {@code
 * order[offsets[g]]} to {@code order[offsets[g + 1] - 1]}.
 */
final class Grouping {
  private static final int ORDER = 0;
  private static final int OFFSETS = 1;
  private static final int SEEN = 2;

  private final Op op;
  private final Operand orderOperand;
  private final Operand offsetsOperand;
  private final Scratch scratch;

  int[] order;
  int[] offsets;

  Grouping(Op op, Operand order, Operand offsets, Scratch scratch) {
    this.op = op;
    this.orderOperand = order;
    this.offsetsOperand = offsets;
    this.scratch = scratch;
  }

  /**
   * @throws IllegalArgumentException unless order is a permutation of the rows and offsets ascend
   *     from 0 to {@code rows} in {@code groups} steps
   */
  void read(long rows, long groups) {
    order = scratch.ints(ORDER, rows);
    offsets = scratch.ints(OFFSETS, groups + 1);
    if (orderOperand.dim(0) != rows || offsetsOperand.dim(0) != groups + 1) {
      throw new IllegalArgumentException(
          op.name()
              + ": order ["
              + orderOperand.dim(0)
              + "] and offsets ["
              + offsetsOperand.dim(0)
              + "] do not fit "
              + rows
              + " rows in "
              + groups
              + " groups");
    }
    Elements.loadOffsets(op, offsetsOperand, rows, offsets);
    int[] seen = scratch.ints(SEEN, rows);
    java.util.Arrays.fill(seen, 0, (int) rows, 0);
    for (int i = 0; i < rows; i++) {
      int row = Elements.getInt(orderOperand, i);
      if (row < 0 || row >= rows) {
        throw new IllegalArgumentException(
            op.name() + ": order[" + i + "] is " + row + ", outside " + rows + " rows");
      }
      if (seen[row]++ != 0) {
        throw new IllegalArgumentException(op.name() + ": row " + row + " is in order twice");
      }
      order[i] = row;
    }
  }

  int begin(int group) {
    return offsets[group];
  }

  int end(int group) {
    return offsets[group + 1];
  }

  int size(int group) {
    return offsets[group + 1] - offsets[group];
  }

  /** Row number of the i-th row in group order. */
  int row(int i) {
    return order[i];
  }
}
