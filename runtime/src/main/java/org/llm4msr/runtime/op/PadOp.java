package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** Places a matrix at column {@code from} of {@code width} columns, zeros around it. */
public record PadOp(long from, long width) implements Op {
  @Override
  public String name() {
    return "pad";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 1
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.sameCompute(in.get(0))
            && from >= 0
            && from + in.get(0).dim(1).fixed() <= width,
        this,
        in,
        "a matrix that fits into " + width + " columns from " + from);
    return List.of(in.get(0).withLast(Dim.of(width)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Op slice = new SliceOp(from, from + node.input(0).type().dim(1).fixed());
    return new Gradient[] {OpChecks.dense(graph.apply(slice, dOut[0]).get(0))};
  }
}
