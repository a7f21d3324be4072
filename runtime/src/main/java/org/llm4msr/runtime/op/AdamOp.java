package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.ValueType;

/**
 * One step of Adam (Kingma and Ba 2015) with coupled L2 weight decay, in place: {@code g +=
 * weightDecay * p; m = beta1 m + (1-beta1) g; v = beta2 v + (1-beta2) g^2; p -= lr/(1-beta1^t) * m
 * / (sqrt(v/(1-beta2^t)) + epsilon)}.
 *
 * <p>Inputs: p, m, v, g of one shape, and F64 {@code [2]}: the learning rate and the step number t,
 * from 1, so that a captured plan need not change from step to step. No outputs.
 */
public record AdamOp(double beta1, double beta2, double epsilon, double weightDecay) implements Op {
  @Override
  public String name() {
    return "adam";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 5
            && OpChecks.sameCompute(in.get(0))
            && in.subList(1, 4).stream().allMatch(in.get(0)::equals)
            && in.get(4).equals(ValueType.of(DType.F64, 2)),
        this,
        in,
        "p, m, v, g of one shape and F64 [2]");
    return List.of();
  }

  @Override
  public boolean hasEffect() {
    return true;
  }
}
