package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Each row mixes its own blocks of columns: {@code y[r] = sum_k gate[r, k] x_k[r]}, where x_k are
 * the columns {@code [k H, (k + 1) H)} of x. A mixture of experts is this operator, and so is the
 * product of a row's vector with a matrix of its own; with H = 1 it is the rows' inner product.
 *
 * <p>Inputs: gate {@code [R, K]}, x {@code [R, K H]}. Output {@code [R, H]}.
 */
public record MixtureOp() implements Op {
  @Override
  public String name() {
    return "mixture";
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
            && in.get(1).dim(1).fixed() % in.get(0).dim(1).fixed() == 0,
        this,
        in,
        "gate [R, K] and x [R, K H]");
    long width = in.get(1).dim(1).fixed() / in.get(0).dim(1).fixed();
    return List.of(in.get(1).withLast(Dim.of(width)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    List<Value> d = graph.apply(new MixtureGradientOp(), node.input(0), node.input(1), dOut[0]);
    return new Gradient[] {OpChecks.dense(d.get(0)), OpChecks.dense(d.get(1))};
  }
}
