package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Gradients of {@link MixtureOp}: {@code dgate[r, k] = <dy[r], x_k[r]>}, {@code dx_k[r] = gate[r,
 * k] dy[r]}.
 *
 * <p>Inputs: gate {@code [R, K]}, x {@code [R, K H]} in one or more parts, dy {@code [R, H]}.
 * Outputs: dgate, then dx in the same parts.
 */
public record MixtureGradientOp() implements Op {
  @Override
  public String name() {
    return "mixtureGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() >= 3
            && new MixtureOp().infer(in.subList(0, in.size() - 1)).get(0).equals(in.getLast()),
        this,
        in,
        "gate [R, K], x [R, K H], dy [R, H]");
    return in.subList(0, in.size() - 1);
  }
}
