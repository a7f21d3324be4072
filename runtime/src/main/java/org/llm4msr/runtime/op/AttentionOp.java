package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Scaled dot-product attention with grouped heads (Ainslie et al. 2023) over packed sequences:
 * {@code softmax(scale * q k^T) v} within each sequence; query head h reads key head {@code h /
 * (heads / kvHeads)}. Causal: a token sees itself and what is before it in its sequence.
 *
 * <p>Inputs: q {@code [T, heads * headDim]}, k and v {@code [T, kvHeads * headDim]}, offsets I32
 * {@code [sequences + 1]} from 0 to T; output like q. No padding anywhere.
 */
public record AttentionOp(int heads, int kvHeads, int headDim, double scale, boolean causal)
    implements Op {
  public AttentionOp {
    if (kvHeads < 1 || heads % kvHeads != 0) {
      throw new IllegalArgumentException(heads + " heads cannot share " + kvHeads + " key heads");
    }
  }

  @Override
  public String name() {
    return "attention";
  }

  static boolean fits(AttentionOp op, List<ValueType> in) {
    ValueType q = in.get(0);
    ValueType k = in.get(1);
    return OpChecks.isMatrix(q)
        && OpChecks.isMatrix(k)
        && OpChecks.sameCompute(q, k)
        && q.dim(1).equals(Dim.of((long) op.heads * op.headDim))
        && k.dim(1).equals(Dim.of((long) op.kvHeads * op.headDim))
        && k.dim(0).equals(q.dim(0))
        && in.get(2).equals(k)
        && OpChecks.isIds(in.get(3), 1);
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 4 && fits(this, in),
        this,
        in,
        "q [T, heads * headDim], k and v [T, kvHeads * headDim], offsets I32 [sequences + 1]");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    List<Value> d =
        graph.apply(
            new AttentionGradientOp(this),
            node.input(0),
            node.input(1),
            node.input(2),
            node.input(3),
            dOut[0]);
    return new Gradient[] {
      OpChecks.dense(d.get(0)), OpChecks.dense(d.get(1)), OpChecks.dense(d.get(2)), null
    };
  }
}
