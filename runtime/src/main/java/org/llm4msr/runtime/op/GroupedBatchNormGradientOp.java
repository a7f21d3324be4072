package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Inputs: x {@code [R, D]}, order, offsets, scale {@code [G, D]}, the mean and inverse standard
 * deviation that {@link GroupedBatchNormOp} used {@code [G, D]}, dy {@code [R, D]}. Outputs: dx
 * {@code [R, D]}, dscale and dshift {@code [G, D]}. Statistics are constants in evaluation and for
 * groups of fewer than two rows; otherwise the gradient passes through them.
 */
public record GroupedBatchNormGradientOp(boolean training) implements Op {
  @Override
  public String name() {
    return "groupedBatchNormGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 7
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.isMatrix(in.get(3))
            && OpChecks.sameCompute(in.get(0), in.get(3))
            && in.get(3).dim(1).equals(in.get(0).dim(1))
            && in.get(4).equals(in.get(3))
            && in.get(5).equals(in.get(3))
            && in.get(6).equals(in.get(0))
            && OpChecks.isGrouping(in.get(1), in.get(2), in.get(0).dim(0), in.get(3).dim(0)),
        this,
        in,
        "x [R, D], order I32 [R], offsets I32 [G + 1], three times [G, D], dy [R, D]");
    return List.of(in.get(0), in.get(3), in.get(3));
  }
}
