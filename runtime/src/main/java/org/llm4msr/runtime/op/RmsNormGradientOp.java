package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/** Inputs: x and weight as in {@link RmsNormOp}, dy like x; outputs: dx, dweight. */
public record RmsNormGradientOp(double epsilon) implements Op {
  @Override
  public String name() {
    return "rmsNormGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3
            && OpChecks.isRows(in.get(0), in.get(1))
            && OpChecks.sameCompute(in.get(0), in.get(1), in.get(2))
            && in.get(2).equals(in.get(0)),
        this,
        in,
        "x [R, D] or [R, heads, D], weight [D], dy like x");
    return List.of(in.get(0), in.get(1));
  }
}
