package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Gradient of {@link GroupedMatMulOp} by its matrices: {@code dW[g] = X_g^T dY_g}, zero for an
 * empty group.
 *
 * <p>Inputs: x {@code [R, K]}, dy {@code [R, N]}, order I32 {@code [R]}, offsets I32 {@code [G +
 * 1]}. Output {@code [G, K, N]}, or {@code [G, N, K]} if transposed.
 */
public record GroupedWeightGradientOp(boolean transposeW, Dim groups) implements Op {
  @Override
  public String name() {
    return "groupedWeightGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 4
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.isMatrix(in.get(1))
            && OpChecks.sameCompute(in.get(0), in.get(1))
            && in.get(0).dim(0).equals(in.get(1).dim(0))
            && OpChecks.isGrouping(in.get(2), in.get(3), in.get(0).dim(0), groups),
        this,
        in,
        "x [R, K], dy [R, N], order I32 [R], offsets I32 [G + 1]");
    Dim k = in.get(0).dim(1);
    Dim n = in.get(1).dim(1);
    return List.of(ValueType.of(in.get(0).dtype(), groups, transposeW ? n : k, transposeW ? k : n));
  }
}
