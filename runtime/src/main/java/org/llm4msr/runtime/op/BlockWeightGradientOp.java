package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Gradient of {@link BlockMatMulOp}'s matrices: {@code dW[g] = x_g^T dy_g}, and of its bias: {@code
 * db[g]} is the sum of dy_g's rows.
 *
 * <p>Inputs: x {@code [R, G K]}, dy {@code [R, G N]}. Outputs: dW {@code [G, K, N]}, or {@code [G,
 * N, K]} if transposed; then db {@code [G, N]} where asked for.
 *
 * @param withBias only if transposed
 */
public record BlockWeightGradientOp(boolean transposeW, long groups, boolean withBias)
    implements Op {
  @Override
  public String name() {
    return "blockWeightGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(!withBias || transposeW, this, in, "W transposed for the bias");
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
    DType dtype = in.get(0).dtype();
    ValueType dW =
        ValueType.of(dtype, groups, transposeW ? width : inner, transposeW ? inner : width);
    return withBias ? List.of(dW, ValueType.of(dtype, groups, width)) : List.of(dW);
  }
}
