package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * {@code y = activation(gate) * up} (Shazeer 2020): SwiGLU with SILU, GeGLU with GELU. Inputs:
 * gate, up {@code [T, F]}; output alike.
 */
public record GluOp(UnaryOp.Kind activation) implements Op {
  @Override
  public String name() {
    return "glu";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2 && OpChecks.sameCompute(in.get(0)) && in.get(0).equals(in.get(1)),
        this,
        in,
        "gate and up of one shape");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    List<Value> d =
        graph.apply(new GluGradientOp(activation), node.input(0), node.input(1), dOut[0]);
    return new Gradient[] {OpChecks.dense(d.get(0)), OpChecks.dense(d.get(1))};
  }
}
