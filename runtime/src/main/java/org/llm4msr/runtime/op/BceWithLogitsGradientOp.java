package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Inputs: those of {@link BceWithLogitsOp}, then dloss {@code [1]}; output like the logits: {@code
 * dloss / B * w * (sigmoid(y) - label)}.
 */
public record BceWithLogitsGradientOp(boolean weighted) implements Op {
  @Override
  public String name() {
    return "bceWithLogitsGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == (weighted ? 4 : 3)
            && BceWithLogitsOp.fits(in, weighted)
            && in.get(in.size() - 1).equals(ValueType.of(in.get(0).dtype(), 1)),
        this,
        in,
        "logits, labels" + (weighted ? ", weights" : "") + " and dloss [1]");
    return List.of(in.get(0));
  }
}
