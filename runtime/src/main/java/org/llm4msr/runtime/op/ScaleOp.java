package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** {@code y = scale * x + offset}, elementwise. */
public record ScaleOp(double scale, double offset) implements Op {
  @Override
  public String name() {
    return "scale";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(in.size() == 1 && OpChecks.sameCompute(in.get(0)), this, in, "one real value");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    return new Gradient[] {OpChecks.dense(graph.apply(new ScaleOp(scale, 0), dOut[0]).get(0))};
  }
}
