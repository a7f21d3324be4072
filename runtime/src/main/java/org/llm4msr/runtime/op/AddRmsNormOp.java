package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * A branch joins the residual stream, and the next branch's input is made of the sum: {@code h = x
 * + residual; y = h / sqrt(mean(h^2) + epsilon) * weight}. Inputs: x and residual {@code [R, D]},
 * weight {@code [D]}; outputs: y and h, like x.
 */
public record AddRmsNormOp(double epsilon) implements FusedOp {
  @Override
  public String name() {
    return "addRmsNorm";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3
            && in.get(0).equals(in.get(1))
            && in.get(0).rank() == 2
            && OpChecks.isRows(in.get(0), in.get(2))
            && OpChecks.sameCompute(in.get(0), in.get(2)),
        this,
        in,
        "x and residual [R, D], and weight [D]");
    return List.of(in.get(0), in.get(0));
  }
}
