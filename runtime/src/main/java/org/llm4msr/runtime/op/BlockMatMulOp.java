package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Every block of columns has its own matrix: {@code y_g = act(x_g W[g] + bias[g])} for the columns
 * {@code [g K, (g + 1) K)} of x. The layers of several experts behind a common first layer are this
 * operator: their activations stay side by side, and nothing is copied.
 *
 * <p>Inputs: x {@code [R, G K]}; W {@code [G, K, N]}, or {@code [G, N, K]} if transposed; then bias
 * {@code [G, N]} and gate {@code [R, G N]} where present. Output {@code [R, G N]}.
 *
 * @param activation or null
 * @param gated whether the result is zero where the gate is not positive, which is applied last:
 *     the gradient of a ReLU whose output was the gate
 */
public record BlockMatMulOp(
    boolean transposeW, boolean hasBias, UnaryOp.Kind activation, boolean gated) implements Op {
  @Override
  public String name() {
    return "blockMatmul";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2 + (hasBias ? 1 : 0) + (gated ? 1 : 0)
            && OpChecks.isMatrix(in.get(0))
            && in.get(1).rank() == 3
            && OpChecks.sameCompute(in.get(0), in.get(1)),
        this,
        in,
        "x [R, G K] and W of rank 3" + (hasBias ? ", bias" : "") + (gated ? ", gate" : ""));
    ValueType x = in.get(0);
    ValueType w = in.get(1);
    long groups = w.dim(0).fixed();
    long inner = w.dim(transposeW ? 2 : 1).fixed();
    long width = w.dim(transposeW ? 1 : 2).fixed();
    OpChecks.check(x.dim(1).fixed() == groups * inner, this, in, "x as wide as all blocks");
    if (hasBias) {
      OpChecks.check(
          in.get(2).equals(ValueType.of(x.dtype(), groups, width)), this, in, "bias [G, N]");
    }
    ValueType out = x.withLast(Dim.of(groups * width));
    OpChecks.check(!gated || in.getLast().equals(out), this, in, "a gate like the output");
    return List.of(out);
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    if (gated) {
      throw new IllegalArgumentException("a gated " + name() + " cannot be differentiated");
    }
    Value x = node.input(0);
    Value w = node.input(1);
    Value dY = UnaryOp.beforeActivation(graph, activation, node.output(), dOut[0]);
    Gradient[] result = OpChecks.gradients(needed.length);
    if (needed[0]) {
      Op input = new BlockMatMulOp(!transposeW, false, null, false);
      result[0] = OpChecks.dense(graph.apply(input, dY, w).get(0));
    }
    boolean bias = hasBias && needed[2];
    if (needed[1]) {
      boolean withBias = bias && transposeW;
      long groups = w.type().dim(0).fixed();
      List<Value> d = graph.apply(new BlockWeightGradientOp(transposeW, groups, withBias), x, dY);
      result[1] = OpChecks.dense(d.get(0));
      if (withBias) {
        result[2] = OpChecks.dense(d.get(1));
      }
    }
    if (bias && result[2] == null) {
      Value sum = graph.apply(new SumToOp(List.of(dY.type().dim(1))), dY).get(0);
      Op shape = new ReshapeOp(node.input(2).type().dims());
      result[2] = OpChecks.dense(graph.apply(shape, sum).get(0));
    }
    return result;
  }
}
