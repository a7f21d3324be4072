package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** Softmax over the last axis, shifted by its maximum. Input {@code [R, D]}, output alike. */
public record SoftmaxOp() implements Op {
  @Override
  public String name() {
    return "softmax";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 1 && OpChecks.isMatrix(in.get(0)) && OpChecks.sameCompute(in.get(0)),
        this,
        in,
        "x [R, D]");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Value dX = graph.apply(new SoftmaxGradientOp(), node.output(), dOut[0]).get(0);
    return new Gradient[] {OpChecks.dense(dX)};
  }
}
