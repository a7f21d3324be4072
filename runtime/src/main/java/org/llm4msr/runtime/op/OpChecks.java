package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** Shape checks that name the operator. */
final class OpChecks {
  private OpChecks() {}

  static void check(boolean condition, Op op, List<ValueType> inputs, String expected) {
    if (!condition) {
      throw new IllegalArgumentException(op.name() + inputs + ": expected " + expected);
    }
  }

  static boolean isMatrix(ValueType type) {
    return type.rank() == 2;
  }

  /** x {@code [R, D]} or {@code [R, heads, D]} with a vector {@code [D]} for each row. */
  static boolean isRows(ValueType x, ValueType vector) {
    return (x.rank() == 2 || x.rank() == 3) && vector.dims().equals(List.of(x.dim(x.rank() - 1)));
  }

  static boolean isIds(ValueType type, int rank) {
    return type.dtype() == DType.I32 && type.rank() == rank;
  }

  /** Whether every row begins with a block, as unquantised ones always do. */
  static boolean hasWholeBlocks(ValueType type) {
    int blockSize = type.dtype().blockSize();
    return blockSize == 1 || !type.dim(-1).isSymbol() && type.dim(-1).fixed() % blockSize == 0;
  }

  static boolean sameCompute(ValueType... types) {
    for (ValueType type : types) {
      if (!type.dtype().isCompute() || type.dtype() != types[0].dtype()) {
        return false;
      }
    }
    return true;
  }

  /**
   * Rows sorted by group: {@code order} I32 [rows] holds row numbers, {@code offsets} I32 [groups +
   * 1] where each group begins. The extents of offsets and groups are compared when a plan runs if
   * one of them is a symbol.
   */
  static boolean isGrouping(ValueType order, ValueType offsets, Dim rows, Dim groups) {
    return isIds(order, 1)
        && order.dim(0).equals(rows)
        && isIds(offsets, 1)
        && (groups.isSymbol()
            || offsets.dim(0).isSymbol()
            || offsets.dim(0).fixed() == groups.fixed() + 1);
  }

  static Gradient[] gradients(int count) {
    return new Gradient[count];
  }

  static Gradient dense(Value value) {
    return new Gradient.Dense(value);
  }
}
