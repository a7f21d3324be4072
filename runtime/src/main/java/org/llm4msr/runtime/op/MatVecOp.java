package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Each row's own matrix times its own vector: {@code y[r] = M_r v[r]}, or {@code y[r, m] = sum_n
 * M[r, m N + n] v[r, n]}. {@link MixtureOp} is the product from the other side, {@link
 * OuterProductOp} makes such matrices; the three are each other's gradients.
 *
 * <p>Inputs: the matrices {@code [R, M N]}, one after the other, and v {@code [R, N]}. Output
 * {@code [R, M]}.
 */
public record MatVecOp() implements Op {
  @Override
  public String name() {
    return "matVec";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    boolean fits =
        in.size() == 2
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.isMatrix(in.get(1))
            && OpChecks.sameCompute(in.get(0), in.get(1))
            && in.get(0).dim(0).equals(in.get(1).dim(0));
    long width = fits ? in.get(1).dim(1).fixed() : 0;
    fits = width > 0 && in.get(0).dim(1).fixed() > 0 && in.get(0).dim(1).fixed() % width == 0;
    OpChecks.check(fits, this, in, "matrices [R, M N] and v [R, N]");
    return List.of(in.get(1).withLast(Dim.of(in.get(0).dim(1).fixed() / width)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Gradient[] result = OpChecks.gradients(2);
    if (needed[0]) {
      result[0] = OpChecks.dense(graph.apply(new OuterProductOp(), dOut[0], node.input(1)).get(0));
    }
    if (needed[1]) {
      result[1] = OpChecks.dense(graph.apply(new MixtureOp(), dOut[0], node.input(0)).get(0));
    }
    return result;
  }
}
