package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Gradient of a table by what was looked up in it, summed per distinct row in a fixed order.
 *
 * <p>Inputs: ids I32 {@code [B, F]} of which one column counts (or {@code [B]}), and dy {@code [B,
 * D]} of which {@code width} columns from {@code offset} on belong to this table. Outputs: rows I32
 * {@code [n]}, the distinct ids ascending; count I32 {@code [1]}, how many; values {@code [n,
 * width]}. n = min(largest B, vocabulary); entries from count on are undefined.
 *
 * <p>With {@link #ALL_COLUMNS} every column of the ids was looked up in this one table: dy is
 * {@code [B, F width]} and n = min(largest B times F, vocabulary).
 */
public record SparseRowGradientOp(int column, long offset, long width, long vocabulary)
    implements Op {
  /** For {@code column}: all of them belong to the table. */
  public static final int ALL_COLUMNS = -1;

  /** Of one table that every column of ids {@code [B, F]} was looked up in. */
  public static SparseRowGradientOp ofAllColumns(long width, long vocabulary) {
    return new SparseRowGradientOp(ALL_COLUMNS, 0, width, vocabulary);
  }

  /** Whether every column of the ids belongs to the table. */
  public boolean allColumns() {
    return column == ALL_COLUMNS;
  }

  @Override
  public String name() {
    return "sparseRowGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2
            && hasColumns(in.get(0))
            && OpChecks.isMatrix(in.get(1))
            && OpChecks.sameCompute(in.get(1))
            && in.get(0).dim(0).equals(in.get(1).dim(0))
            && width > 0
            && hasWidth(in.get(1).dim(1).fixed(), in.get(0)),
        this,
        in,
        "ids I32 [B, F] and dy [B, D]");
    long lookups = in.get(0).dim(0).max();
    if (allColumns()) {
      lookups = Math.multiplyExact(lookups, in.get(0).dim(1).fixed());
    }
    long n = Math.min(lookups, vocabulary);
    return List.of(
        ValueType.of(DType.I32, n),
        ValueType.of(DType.I32, 1),
        ValueType.of(in.get(1).dtype(), n, width));
  }

  private boolean hasColumns(ValueType ids) {
    return allColumns()
        ? OpChecks.isIds(ids, 2)
        : OpChecks.isIds(ids, 1) && column == 0
            || OpChecks.isIds(ids, 2) && column >= 0 && column < ids.dim(1).fixed();
  }

  private boolean hasWidth(long columns, ValueType ids) {
    return allColumns()
        ? offset == 0 && columns == ids.dim(1).fixed() * width
        : offset >= 0 && offset + width <= columns;
  }
}
