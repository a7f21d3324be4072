package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Gradient of {@link BlockMatMulOp}'s matrices: {@code dW[g] = x_g^T dy_g}.
 *
 * <p>Inputs: x {@code [R, G K]}, dy {@code [R, G N]}. Output {@code [G, K, N]}, or {@code [G, N,
 * K]} if transposed.
 */
public record BlockWeightGradientOp(boolean transposeW, long groups) implements Op {
  @Override
  public String name() {
    return "blockWeightGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.isMatrix(in.get(1))
            && OpChecks.sameCompute(in.get(0), in.get(1))
            && in.get(0).dim(0).equals(in.get(1).dim(0))
            && in.get(0).dim(1).fixed() % groups == 0
            && in.get(1).dim(1).fixed() % groups == 0,
        this,
        in,
        "x and dy with equally many rows, in " + groups + " blocks");
    long inner = in.get(0).dim(1).fixed() / groups;
    long width = in.get(1).dim(1).fixed() / groups;
    return List.of(
        ValueType.of(
            in.get(0).dtype(), groups, transposeW ? width : inner, transposeW ? inner : width));
  }
}
