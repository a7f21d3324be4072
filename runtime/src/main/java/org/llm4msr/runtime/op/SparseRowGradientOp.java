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
 */
public record SparseRowGradientOp(int column, long offset, long width, long vocabulary)
    implements Op {
  @Override
  public String name() {
    return "sparseRowGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2
            && (OpChecks.isIds(in.get(0), 1) && column == 0
                || OpChecks.isIds(in.get(0), 2) && column < in.get(0).dim(1).fixed())
            && OpChecks.isMatrix(in.get(1))
            && OpChecks.sameCompute(in.get(1))
            && in.get(0).dim(0).equals(in.get(1).dim(0))
            && offset >= 0
            && width > 0
            && offset + width <= in.get(1).dim(1).fixed(),
        this,
        in,
        "ids I32 [B, F] and dy [B, D]");
    long n = Math.min(in.get(0).dim(0).max(), vocabulary);
    return List.of(
        ValueType.of(DType.I32, n),
        ValueType.of(DType.I32, 1),
        ValueType.of(in.get(1).dtype(), n, width));
  }
}
