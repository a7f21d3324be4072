package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Each matrix of a stack, transposed: {@code y[g, n, m] = x[g, m, n]}.
 *
 * <p>Input {@code [G, M, N]}, output {@code [G, N, M]}.
 */
public record TransposeOp() implements Op {
  @Override
  public String name() {
    return "transpose";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 1 && in.get(0).rank() == 3 && OpChecks.sameCompute(in.get(0)),
        this,
        in,
        "a stack of real matrices [G, M, N]");
    ValueType x = in.get(0);
    return List.of(ValueType.of(x.dtype(), x.dim(0), x.dim(2), x.dim(1)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    return new Gradient[] {OpChecks.dense(graph.apply(new TransposeOp(), dOut[0]).get(0))};
  }
}
