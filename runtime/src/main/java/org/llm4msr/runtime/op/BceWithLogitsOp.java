package org.llm4msr.runtime.op;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Mean binary cross-entropy of logits: {@code 1/B * sum w_i (max(y,0) - y*label + log(1 +
 * exp(-|y|)))}; 0 for an empty batch. Inputs: logits {@code [B]} or {@code [B, 1]}, labels {@code
 * [B]} in [0, 1], then weights {@code [B]} where present; output {@code [1]}.
 */
public record BceWithLogitsOp(boolean weighted) implements Op {
  @Override
  public String name() {
    return "bceWithLogits";
  }

  static boolean fits(List<ValueType> in, boolean weighted) {
    ValueType logits = in.get(0);
    ValueType labels = in.get(1);
    return (logits.rank() == 1 || logits.rank() == 2 && logits.dim(1).isOne())
        && OpChecks.sameCompute(logits, labels)
        && labels.dims().equals(List.of(logits.dim(0)))
        && (!weighted || in.get(2).equals(labels));
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == (weighted ? 3 : 2) && fits(in, weighted),
        this,
        in,
        "logits [B] and labels [B]" + (weighted ? " and weights [B]" : ""));
    return List.of(ValueType.of(in.get(0).dtype(), 1));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    List<Value> inputs = new ArrayList<>(node.inputs());
    inputs.add(dOut[0]);
    Gradient[] result = OpChecks.gradients(needed.length);
    result[0] = OpChecks.dense(graph.apply(new BceWithLogitsGradientOp(weighted), inputs).get(0));
    return result;
  }
}
