package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/** Inputs: x {@code [R, D]}, weight {@code [D]}, dy {@code [R, D]}; outputs: dx, dweight, dbias. */
public record LayerNormGradientOp(double epsilon) implements Op {
  @Override
  public String name() {
    return "layerNormGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.sameCompute(in.get(0), in.get(1), in.get(2))
            && in.get(1).dims().equals(List.of(in.get(0).dim(1)))
            && in.get(2).equals(in.get(0)),
        this,
        in,
        "x [R, D], weight [D], dy [R, D]");
    return List.of(in.get(0), in.get(1), in.get(1));
  }
}
