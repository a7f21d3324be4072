package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** Joins matrices {@code [R, D_i]} along the last axis. */
public record ConcatOp() implements Op {
  @Override
  public String name() {
    return "concat";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(!in.isEmpty(), this, in, "at least one matrix");
    long width = 0;
    for (ValueType type : in) {
      OpChecks.check(
          OpChecks.isMatrix(type)
              && OpChecks.sameCompute(in.get(0), type)
              && type.dim(0).equals(in.get(0).dim(0)),
          this,
          in,
          "matrices with equally many rows");
      width += type.dim(1).fixed();
    }
    return List.of(in.get(0).withLast(Dim.of(width)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Gradient[] result = OpChecks.gradients(needed.length);
    long from = 0;
    for (int i = 0; i < needed.length; i++) {
      long width = node.input(i).type().dim(1).fixed();
      if (needed[i]) {
        Value part = graph.apply(new SliceOp(from, from + width), dOut[0]).get(0);
        result[i] = OpChecks.dense(part);
      }
      from += width;
    }
    return result;
  }
}
