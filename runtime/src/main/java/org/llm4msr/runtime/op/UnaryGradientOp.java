package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Gradient of an activation. Inputs: what was saved (the output, or for SILU and GELU the input)
 * and dy, same shape; output dx.
 */
public record UnaryGradientOp(UnaryOp.Kind kind) implements Op {
  @Override
  public String name() {
    return kind.name().toLowerCase(java.util.Locale.ROOT) + "Gradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2 && OpChecks.sameCompute(in.get(0)) && in.get(0).equals(in.get(1)),
        this,
        in,
        "two values of one shape");
    return List.of(in.get(1));
  }
}
