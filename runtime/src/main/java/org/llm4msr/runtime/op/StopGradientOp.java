package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** The same values, through which no gradient passes. */
public record StopGradientOp() implements Op {
  @Override
  public String name() {
    return "stopGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(in.size() == 1 && OpChecks.sameCompute(in.get(0)), this, in, "one real value");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    return OpChecks.gradients(1);
  }

  @Override
  public boolean isView() {
    return true;
  }
}
