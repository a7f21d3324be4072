package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Inputs: q, k, v and offsets as in {@link AttentionOp}, dout like q; outputs dq, dk, dv. The
 * probabilities are computed again.
 */
public record AttentionGradientOp(AttentionOp forward) implements Op {
  @Override
  public String name() {
    return "attentionGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 5
            && AttentionOp.fits(forward, in)
            && in.get(1).dim(0).equals(in.get(0).dim(0))
            && in.get(4).equals(in.get(0)),
        this,
        in,
        "q, k, v, offsets and dout like q");
    return List.of(in.get(0), in.get(1), in.get(2));
  }
}
