package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * {@code y = (x - mean) / sqrt(variance + epsilon) * weight + bias} over the last axis, with the
 * biased variance (Ba et al. 2016). Inputs: x {@code [R, D]}, weight and bias {@code [D]}; output
 * {@code [R, D]}.
 */
public record LayerNormOp(double epsilon) implements Op {
  @Override
  public String name() {
    return "layerNorm";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.sameCompute(in.get(0), in.get(1), in.get(2))
            && in.get(1).dims().equals(List.of(in.get(0).dim(1)))
            && in.get(2).equals(in.get(1)),
        this,
        in,
        "x [R, D], weight [D] and bias [D]");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Op op = new LayerNormGradientOp(epsilon);
    List<Value> d = graph.apply(op, node.input(0), node.input(1), dOut[0]);
    return new Gradient[] {
      OpChecks.dense(d.get(0)), OpChecks.dense(d.get(1)), OpChecks.dense(d.get(2))
    };
  }
}
