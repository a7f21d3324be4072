package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Each row's outer product: {@code y[r, m N + n] = a[r, m] b[r, n]}.
 *
 * <p>Inputs: a {@code [R, M]}, b {@code [R, N]}. Output {@code [R, M N]}.
 */
public record OuterProductOp() implements Op {
  @Override
  public String name() {
    return "outerProduct";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.isMatrix(in.get(1))
            && OpChecks.sameCompute(in.get(0), in.get(1))
            && in.get(0).dim(0).equals(in.get(1).dim(0))
            && in.get(0).dim(1).fixed() > 0
            && in.get(1).dim(1).fixed() > 0,
        this,
        in,
        "a [R, M] and b [R, N]");
    long width = Math.multiplyExact(in.get(0).dim(1).fixed(), in.get(1).dim(1).fixed());
    return List.of(in.get(0).withLast(Dim.of(width)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Gradient[] result = OpChecks.gradients(2);
    if (needed[0]) {
      result[0] = OpChecks.dense(graph.apply(new MatVecOp(), dOut[0], node.input(1)).get(0));
    }
    if (needed[1]) {
      result[1] = OpChecks.dense(graph.apply(new MixtureOp(), node.input(0), dOut[0]).get(0));
    }
    return result;
  }
}
