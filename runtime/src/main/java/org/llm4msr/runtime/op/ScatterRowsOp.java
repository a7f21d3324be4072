package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Writes rows of a table in place: {@code table[ids[i]] = rows[i]}; of equal ids the last one wins.
 * This is how a key-value cache grows: nodes that were added later see the new rows.
 *
 * <p>Inputs: table {@code [C, D]}, a parameter; ids I32 {@code [R]}; rows {@code [R, D]}. No
 * output. An id outside {@code [0, C)} is reported when the plan runs.
 */
public record ScatterRowsOp() implements Op {
  @Override
  public String name() {
    return "scatterRows";
  }

  @Override
  public boolean hasEffect() {
    return true;
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.isMatrix(in.get(2))
            && OpChecks.sameCompute(in.get(0), in.get(2))
            && OpChecks.isIds(in.get(1), 1)
            && in.get(1).dim(0).equals(in.get(2).dim(0))
            && in.get(0).dim(1).equals(in.get(2).dim(1)),
        this,
        in,
        "table [C, D], ids I32 [R], rows [R, D]");
    return List.of();
  }
}
