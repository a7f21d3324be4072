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
 * {@code softmax(mask(scale * q k^T)) v} within each sequence; query head h reads key head {@code h
 * / (heads / kvHeads)}. No padding anywhere.
 *
 * <p>Inputs: q {@code [T, heads * headDim]}, k and v {@code [K, kvHeads * headDim]}, offsets I32
 * {@code [sequences + 1]} from 0 to T; output like q. With four inputs K is T: the keys of a
 * sequence are its own tokens. With two more inputs, keyBegins and keyEnds I32 {@code [sequences]},
 * the keys of sequence s are the rows {@code [keyBegins[s], keyEnds[s])}, at least as many as its
 * queries, which stand at their end: that is how keys of earlier tokens are used again. This form
 * has no gradient.
 *
 * @param rounded whether a backend that gains from it may round q, k, v and the weights to BF16, as
 *     is fit where the matrices that made them are no finer
 */
public record AttentionOp(
    int heads, int kvHeads, int headDim, double scale, Mask mask, boolean rounded) implements Op {

  /**
   * What a token sees: the keys from {@code before} positions before it to {@code after} positions
   * after it.
   *
   * @param softCap scores become {@code softCap * tanh(score / softCap)}; 0 for none
   */
  public record Mask(int before, int after, double softCap) {
    /** No limit. */
    public static final int ALL = Integer.MAX_VALUE;

    public Mask {
      if (before < 0 || after < 0 || !(softCap >= 0)) {
        throw new IllegalArgumentException(
            "a mask of " + before + " before, " + after + " after, soft cap " + softCap);
      }
    }

    /** A token sees itself and all before it. */
    public static Mask causal() {
      return new Mask(ALL, 0, 0);
    }

    /** A token sees its whole sequence. */
    public static Mask bidirectional() {
      return new Mask(ALL, ALL, 0);
    }
  }

  public AttentionOp {
    if (kvHeads < 1 || heads % kvHeads != 0) {
      throw new IllegalArgumentException(heads + " heads cannot share " + kvHeads + " key heads");
    }
  }

  /** Nothing is rounded. */
  public AttentionOp(int heads, int kvHeads, int headDim, double scale, Mask mask) {
    this(heads, kvHeads, headDim, scale, mask, false);
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
        && in.get(2).equals(k)
        && OpChecks.isIds(in.get(3), 1);
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    boolean ownKeys = in.size() == 4 && in.get(1).dim(0).equals(in.get(0).dim(0));
    boolean otherKeys =
        in.size() == 6 && OpChecks.isIds(in.get(4), 1) && in.get(5).equals(in.get(4));
    OpChecks.check(
        (ownKeys || otherKeys) && fits(this, in),
        this,
        in,
        "q [T, heads * headDim], k and v [K, kvHeads * headDim], offsets I32 [sequences + 1], and"
            + " unless K is T keyBegins and keyEnds I32 [sequences]");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    if (node.inputs().size() != 4) {
      throw new IllegalArgumentException("attention to other keys cannot be differentiated");
    }
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
