package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Sum or mean of the rows of each group; zero for an empty group.
 *
 * <p>Inputs: x {@code [R, D]}, order I32 {@code [R]}, offsets I32 {@code [G + 1]}. Output {@code
 * [G, D]}.
 */
public record GroupedSumOp(Dim groups, boolean mean) implements Op {
  @Override
  public String name() {
    return mean ? "groupedMean" : "groupedSum";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.sameCompute(in.get(0))
            && OpChecks.isGrouping(in.get(1), in.get(2), in.get(0).dim(0), groups),
        this,
        in,
        "x [R, D], order I32 [R], offsets I32 [G + 1]");
    return List.of(ValueType.of(in.get(0).dtype(), groups, in.get(0).dim(1)));
  }
}
