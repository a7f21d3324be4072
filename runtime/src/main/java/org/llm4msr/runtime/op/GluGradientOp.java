package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/** Inputs: gate, up, dy of one shape; outputs dgate, dup. */
public record GluGradientOp(UnaryOp.Kind activation) implements Op {
  @Override
  public String name() {
    return "gluGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3
            && OpChecks.sameCompute(in.get(0))
            && in.get(0).equals(in.get(1))
            && in.get(0).equals(in.get(2)),
        this,
        in,
        "gate, up and dy of one shape");
    return List.of(in.get(0), in.get(0));
  }
}
