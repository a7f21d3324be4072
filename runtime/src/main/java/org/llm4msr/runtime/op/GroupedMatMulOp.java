package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Every group of rows has its own matrix: {@code y[r] = act(x[r] W[g] + bias[g])} for row r of
 * group g. Scenario towers (few large groups) and meta layers generated per user (many tiny ones)
 * are both this operator; it is never one matrix per row.
 *
 * <p>Inputs: x {@code [R, K]}; W {@code [G, K, N]}, or {@code [G, N, K]} if transposed; order I32
 * {@code [R]}, the row numbers sorted by group; offsets I32 {@code [G + 1]}; then bias {@code [G,
 * N]} where present. Output {@code [R, N]}, in the order of x.
 *
 * @param activation applied last, or null
 */
public record GroupedMatMulOp(boolean transposeW, boolean hasBias, UnaryOp.Kind activation)
    implements Op {
  @Override
  public String name() {
    return "groupedMatmul";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == (hasBias ? 5 : 4) && OpChecks.isMatrix(in.get(0)) && in.get(1).rank() == 3,
        this,
        in,
        "x [R, K], W of rank 3, order, offsets" + (hasBias ? ", bias" : ""));
    ValueType x = in.get(0);
    ValueType w = in.get(1);
    Dim groups = w.dim(0);
    OpChecks.check(OpChecks.sameCompute(x, w), this, in, "x and W of the compute type");
    OpChecks.check(x.dim(1).equals(w.dim(transposeW ? 2 : 1)), this, in, "equal inner extents");
    OpChecks.check(
        OpChecks.isGrouping(in.get(2), in.get(3), x.dim(0), groups),
        this,
        in,
        "order I32 [R] and offsets I32 [G + 1]");
    Dim width = w.dim(transposeW ? 1 : 2);
    if (hasBias) {
      OpChecks.check(
          in.get(4).equals(ValueType.of(x.dtype(), groups, width)), this, in, "bias [G, N]");
    }
    return List.of(ValueType.of(x.dtype(), x.dim(0), width));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Value x = node.input(0);
    Value w = node.input(1);
    Value order = node.input(2);
    Value offsets = node.input(3);
    Value dY = UnaryOp.beforeActivation(graph, activation, node.output(), dOut[0]);
    Dim groups = w.type().dim(0);
    Gradient[] result = OpChecks.gradients(needed.length);
    if (needed[0]) {
      Op input = new GroupedMatMulOp(!transposeW, false, null);
      result[0] = OpChecks.dense(graph.apply(input, dY, w, order, offsets).get(0));
    }
    if (needed[1]) {
      Op weight = new GroupedWeightGradientOp(transposeW, groups);
      result[1] = OpChecks.dense(graph.apply(weight, x, dY, order, offsets).get(0));
    }
    if (hasBias && needed[4]) {
      Op bias = new GroupedSumOp(groups, false);
      result[4] = OpChecks.dense(graph.apply(bias, dY, order, offsets).get(0));
    }
    return result;
  }
}
