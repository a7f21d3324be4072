package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.ValueType;

/**
 * The step of a table by what was looked up in it: {@link SparseRowGradientOp}, whose rows {@link
 * SparseAdamOp} applies, without writing the sums down between them. Inputs: p, m, v {@code [V,
 * D]}, then the gradient's ids and dy, and F64 {@code [2]}: the learning rate and the step number
 * from 1. No outputs.
 */
public record SparseRowAdamOp(SparseRowGradientOp gradient, SparseAdamOp adam) implements FusedOp {
  @Override
  public String name() {
    return adam.lazy() ? "sparseRowLazyAdam" : "sparseRowAdam";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 6
            && OpChecks.isMatrix(in.get(0))
            && in.get(0)
                .equals(ValueType.of(in.get(4).dtype(), gradient.vocabulary(), gradient.width()))
            && in.get(1).equals(in.get(0))
            && in.get(2).equals(in.get(0))
            && in.get(5).equals(ValueType.of(DType.F64, 2)),
        this,
        in,
        "p, m, v [V, D], ids, dy, F64 [2]");
    gradient.infer(in.subList(3, 5));
    return List.of();
  }

  @Override
  public boolean hasEffect() {
    return true;
  }
}
