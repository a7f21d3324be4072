package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Scatters sparse rows into zeros: rows I32 {@code [n]}, count I32 {@code [1]}, values {@code [n,
 * D]} to {@code [size, D]}.
 */
public record SparseToDenseOp(long size) implements Op {
  @Override
  public String name() {
    return "sparseToDense";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3
            && OpChecks.isIds(in.get(0), 1)
            && OpChecks.isIds(in.get(1), 1)
            && in.get(1).dim(0).isOne()
            && OpChecks.isMatrix(in.get(2))
            && OpChecks.sameCompute(in.get(2))
            && in.get(2).dim(0).equals(in.get(0).dim(0)),
        this,
        in,
        "rows I32 [n], count I32 [1], values [n, D]");
    return List.of(ValueType.of(in.get(2).dtype(), Dim.of(size), in.get(2).dim(1)));
  }
}
