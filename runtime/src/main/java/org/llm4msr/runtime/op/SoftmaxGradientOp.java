package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/** Inputs: y (the softmax) and dy {@code [R, D]}; output {@code dx = y * (dy - sum(y * dy))}. */
public record SoftmaxGradientOp() implements Op {
  @Override
  public String name() {
    return "softmaxGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.sameCompute(in.get(0))
            && in.get(0).equals(in.get(1)),
        this,
        in,
        "y and dy [R, D]");
    return List.of(in.get(0));
  }
}
