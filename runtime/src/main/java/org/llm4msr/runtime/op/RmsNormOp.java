package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * {@code y = x / sqrt(mean(x^2) + epsilon) * weight} over the last axis (Zhang and Sennrich 2019).
 * Inputs: x {@code [R, D]} or {@code [R, heads, D]}, weight {@code [D]}; output like x.
 */
public record RmsNormOp(double epsilon) implements Op {
  @Override
  public String name() {
    return "rmsNorm";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2
            && OpChecks.isRows(in.get(0), in.get(1))
            && OpChecks.sameCompute(in.get(0), in.get(1)),
        this,
        in,
        "x [R, D] or [R, heads, D] and weight [D]");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    List<Value> d =
        graph.apply(new RmsNormGradientOp(epsilon), node.input(0), node.input(1), dOut[0]);
    return new Gradient[] {OpChecks.dense(d.get(0)), OpChecks.dense(d.get(1))};
  }
}
