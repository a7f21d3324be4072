package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * {@code C = act(op(A) op(B) + bias + residual)}: op(A) is {@code [M, K]}, op(B) {@code [K, N]}; a
 * transposed operand is stored the other way round. A is of the compute type; B may also be F16 or
 * BF16 (widened on the fly), or quantised: then it must be transposed, so that its blocks lie along
 * K. bias {@code [N]} and residual {@code [M, N]} follow as third and fourth input where present.
 *
 * @param activation applied last, or null
 */
public record MatMulOp(
    boolean transposeA,
    boolean transposeB,
    boolean hasBias,
    boolean hasResidual,
    UnaryOp.Kind activation)
    implements Op {
  @Override
  public String name() {
    return "matmul";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    int count = 2 + (hasBias ? 1 : 0) + (hasResidual ? 1 : 0);
    OpChecks.check(
        in.size() == count && OpChecks.isMatrix(in.get(0)) && OpChecks.isMatrix(in.get(1)),
        this,
        in,
        "two matrices" + (hasBias ? ", a bias" : "") + (hasResidual ? ", a residual" : ""));
    ValueType a = in.get(0);
    ValueType b = in.get(1);
    OpChecks.check(
        a.dtype().isCompute() && b.dtype().isFloat(),
        this,
        in,
        "a real matrix of the compute type");
    OpChecks.check(
        a.dim(transposeA ? 0 : 1).equals(b.dim(transposeB ? 1 : 0)),
        this,
        in,
        "equal inner extents"
            + (transposeA ? ", A transposed" : "")
            + (transposeB ? ", B transposed" : ""));
    OpChecks.check(
        !b.dtype().isQuantised() || transposeB && OpChecks.hasWholeBlocks(b),
        this,
        in,
        "a quantised B to be transposed, its rows of whole blocks");
    ValueType out = ValueType.of(a.dtype(), a.dim(transposeA ? 1 : 0), b.dim(transposeB ? 0 : 1));
    if (hasBias) {
      OpChecks.check(in.get(2).equals(ValueType.of(a.dtype(), out.dim(1))), this, in, "a bias [N]");
    }
    if (hasResidual) {
      OpChecks.check(in.get(count - 1).equals(out), this, in, "a residual [M, N]");
    }
    return List.of(out);
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Value a = node.input(0);
    Value b = node.input(1);
    Value dC = UnaryOp.beforeActivation(graph, activation, node.output(), dOut[0]);
    Gradient[] result = OpChecks.gradients(needed.length);
    if (needed[0]) {
      result[0] =
          OpChecks.dense(
              transposeA
                  ? plain(graph, transposeB, true, b, dC)
                  : plain(graph, false, !transposeB, dC, b));
    }
    boolean linear = transposeB && !transposeA && !a.type().dim(1).isSymbol();
    if (linear && needed[1] && hasBias && needed[2] && !b.type().dim(0).isSymbol()) {
      // The bias is summed while dC is at hand.
      List<Value> d = graph.apply(new BlockWeightGradientOp(true, 1, true), a, dC);
      result[1] = OpChecks.dense(reshaped(graph, d.get(0), b));
      result[2] = OpChecks.dense(reshaped(graph, d.get(1), node.input(2)));
    } else if (needed[1]) {
      result[1] =
          OpChecks.dense(
              transposeB
                  ? plain(graph, true, transposeA, dC, a)
                  : plain(graph, !transposeA, false, a, dC));
    }
    if (hasBias && needed[2] && result[2] == null) {
      result[2] = OpChecks.dense(graph.apply(new SumToOp(node.input(2).type().dims()), dC).get(0));
    }
    if (hasResidual && needed[needed.length - 1]) {
      result[needed.length - 1] = OpChecks.dense(dC);
    }
    return result;
  }

  private static Value reshaped(Graph graph, Value value, Value like) {
    return graph.apply(new ReshapeOp(like.type().dims()), value).get(0);
  }

  private static Value plain(
      Graph graph, boolean transposeA, boolean transposeB, Value a, Value b) {
    return graph.apply(new MatMulOp(transposeA, transposeB, false, false, null), a, b).get(0);
  }
}
