package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Each row's query attends to the elements of the row's own list: {@code y[r] = sum_k a[r, k]
 * x_k[r]}, where x_k are the columns {@code [k D, (k + 1) D)} of x and {@code a[r] =
 * softmax_k(<q[r], x_k[r]>)} over the elements that are there. The others have weight 0 and are not
 * read; a row without elements gives zeros.
 *
 * <p>Inputs: q {@code [R, D]}, x {@code [R, L D]}, present {@code [R, L]}, 0 where a list has no
 * element. Outputs: y {@code [R, D]} and the weights a {@code [R, L]}, which have no gradient of
 * their own.
 */
public record AttentionPoolingOp() implements Op {
  @Override
  public String name() {
    return "attentionPooling";
  }

  static boolean fits(ValueType q, ValueType x, ValueType perElement) {
    return OpChecks.isMatrix(q)
        && OpChecks.isMatrix(x)
        && OpChecks.isMatrix(perElement)
        && OpChecks.sameCompute(q, x)
        && OpChecks.sameCompute(q, perElement)
        && q.dim(0).equals(x.dim(0))
        && q.dim(0).equals(perElement.dim(0))
        && q.dim(1).fixed() > 0
        && x.dim(1).fixed() == q.dim(1).fixed() * perElement.dim(1).fixed();
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3 && fits(in.get(0), in.get(1), in.get(2)),
        this,
        in,
        "q [R, D], x [R, L D], present [R, L]");
    return List.of(in.get(0), in.get(2));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    if (dOut[1] != null) {
      throw new IllegalArgumentException("the weights of " + name() + " cannot be differentiated");
    }
    List<Value> d =
        graph.apply(
            new AttentionPoolingGradientOp(),
            node.input(0),
            node.input(1),
            node.outputs().get(1),
            node.outputs().get(0),
            dOut[0]);
    return new Gradient[] {OpChecks.dense(d.get(0)), OpChecks.dense(d.get(1)), null};
  }
}
