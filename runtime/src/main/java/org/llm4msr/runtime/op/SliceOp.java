package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** Columns {@code [from, to)} of a matrix. */
public record SliceOp(long from, long to) implements Op {
  @Override
  public String name() {
    return "slice";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 1
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.sameCompute(in.get(0))
            && 0 <= from
            && from < to
            && to <= in.get(0).dim(1).fixed(),
        this,
        in,
        "a matrix with the columns " + from + " to " + to);
    return List.of(in.get(0).withLast(Dim.of(to - from)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Op pad = new PadOp(from, node.input(0).type().dim(1).fixed());
    return new Gradient[] {OpChecks.dense(graph.apply(pad, dOut[0]).get(0))};
  }
}
