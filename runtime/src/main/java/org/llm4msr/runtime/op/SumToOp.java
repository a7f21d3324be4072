package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Sums over the axes that broadcasting {@code dims} to the input's shape would stretch; the reverse
 * of broadcasting.
 */
public record SumToOp(List<Dim> dims) implements Op {
  public SumToOp {
    dims = List.copyOf(dims);
  }

  @Override
  public String name() {
    return "sumTo";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 1 && OpChecks.sameCompute(in.get(0)) && in.get(0).rank() >= dims.size(),
        this,
        in,
        "a real value that " + dims + " broadcasts to");
    int lead = in.get(0).rank() - dims.size();
    for (int i = 0; i < dims.size(); i++) {
      OpChecks.check(
          dims.get(i).isOne() || dims.get(i).equals(in.get(0).dim(lead + i)),
          this,
          in,
          "a real value that " + dims + " broadcasts to");
    }
    return List.of(new ValueType(in.get(0).dtype(), dims));
  }

  /** Applies the operator unless the shape is already right. */
  static Value reduce(Graph graph, Value value, ValueType target) {
    return value.type().equals(target)
        ? value
        : graph.apply(new SumToOp(target.dims()), value).get(0);
  }
}
