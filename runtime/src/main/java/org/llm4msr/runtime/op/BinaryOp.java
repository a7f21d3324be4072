package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** Elementwise arithmetic with NumPy's broadcasting; rank at most 4. */
public record BinaryOp(Kind kind) implements Op {
  /** The operations. */
  public enum Kind {
    ADD,
    SUB,
    MUL,
    DIV
  }

  @Override
  public String name() {
    return kind.name().toLowerCase(java.util.Locale.ROOT);
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2
            && OpChecks.sameCompute(in.get(0), in.get(1))
            && in.get(0).rank() <= 4
            && in.get(1).rank() <= 4,
        this,
        in,
        "two real values of rank 4 at most");
    ValueType a = in.get(0);
    ValueType b = in.get(1);
    int rank = Math.max(a.rank(), b.rank());
    Dim[] dims = new Dim[rank];
    for (int i = 1; i <= rank; i++) {
      Dim da = i > a.rank() ? Dim.of(1) : a.dim(-i);
      Dim db = i > b.rank() ? Dim.of(1) : b.dim(-i);
      OpChecks.check(
          da.equals(db) || da.isOne() || db.isOne(), this, in, "extents that are equal or 1");
      dims[rank - i] = da.isOne() ? db : da;
    }
    return List.of(ValueType.of(a.dtype(), dims));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Value a = node.input(0);
    Value b = node.input(1);
    Value d = dOut[0];
    Gradient[] result = OpChecks.gradients(2);
    if (needed[0]) {
      Value dA =
          switch (kind) {
            case ADD, SUB -> d;
            case MUL -> graph.apply(new BinaryOp(Kind.MUL), d, b).get(0);
            case DIV -> graph.apply(new BinaryOp(Kind.DIV), d, b).get(0);
          };
      result[0] = OpChecks.dense(SumToOp.reduce(graph, dA, a.type()));
    }
    if (needed[1]) {
      Value dB =
          switch (kind) {
            case ADD -> d;
            case SUB -> graph.apply(new ScaleOp(-1, 0), d).get(0);
            case MUL -> graph.apply(new BinaryOp(Kind.MUL), d, a).get(0);
            case DIV -> {
              Value dY = graph.apply(new BinaryOp(Kind.MUL), d, node.output()).get(0);
              Value quotient = graph.apply(new BinaryOp(Kind.DIV), dY, b).get(0);
              yield graph.apply(new ScaleOp(-1, 0), quotient).get(0);
            }
          };
      result[1] = OpChecks.dense(SumToOp.reduce(graph, dB, b.type()));
    }
    return result;
  }
}
