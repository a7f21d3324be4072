package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Adam for a table whose gradient is sparse rows, in place.
 *
 * <p>Exact: what {@link AdamOp} does, with zero gradient for the rows that are not listed (their
 * moments decay and they still move). Lazy (TensorFlow's LazyAdam): only listed rows change, by
 * {@code p -= lr * sqrt(1-beta2^t)/(1-beta1^t) * m / (sqrt(v) + epsilon)} with the global t; weight
 * decay too reaches listed rows only.
 *
 * <p>Inputs: p, m, v {@code [V, D]}, rows I32 {@code [n]} ascending, count I32 {@code [1]}, values
 * {@code [n, D]}, and F64 {@code [2]}: the learning rate and the step number from 1. No outputs.
 */
public record SparseAdamOp(
    double beta1, double beta2, double epsilon, double weightDecay, boolean lazy) implements Op {
  @Override
  public String name() {
    return lazy ? "lazyAdam" : "sparseAdam";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 7
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.sameCompute(in.get(0), in.get(5))
            && in.get(1).equals(in.get(0))
            && in.get(2).equals(in.get(0))
            && OpChecks.isIds(in.get(3), 1)
            && in.get(4).equals(ValueType.of(DType.I32, 1))
            && in.get(5).dims().equals(List.of(in.get(3).dim(0), in.get(0).dim(1)))
            && in.get(6).equals(ValueType.of(DType.F64, 2)),
        this,
        in,
        "p, m, v [V, D], rows I32 [n], count I32 [1], values [n, D], F64 [2]");
    return List.of();
  }

  @Override
  public boolean hasEffect() {
    return true;
  }
}
