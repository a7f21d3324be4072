package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * {@link MatMulOp} in 8-bit integers ("W8A8"), for frozen weights. Columns of op(B) {@code [K, N]}
 * are quantised symmetrically: {@code w = round(127 b / max |b|)}. Rows of A {@code [M, K]} are
 * quantised over their range, in which low &lt;= 0 &lt;= high: with {@code s = 255 / (high - low)},
 * {@code x = min(round(s a), 255 - round(-s low))}. All that is in float, rounded to the nearest
 * even. {@code C = act(sum_p x w / (s 127 / max |b|) + bias + residual)}; the sums of integers are
 * exact, for which K is at most {@value #MAX_K}. A row or column that is not finite gives NaN.
 *
 * @param activation applied last, or null
 */
public record Int8MatMulOp(
    boolean transposeB, boolean hasBias, boolean hasResidual, UnaryOp.Kind activation)
    implements Op {
  /** For longer rows the sums might not fit into 32 bits. */
  public static final long MAX_K = 65_536;

  @Override
  public String name() {
    return "int8_matmul";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    List<ValueType> out =
        new MatMulOp(false, transposeB, hasBias, hasResidual, activation).infer(in);
    OpChecks.check(in.get(0).dim(1).max() <= MAX_K, this, in, "an inner extent up to " + MAX_K);
    return out;
  }

  /**
   * @throws UnsupportedOperationException always: rounding has no gradient
   */
  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    throw new UnsupportedOperationException(name() + " has no gradient");
  }
}
