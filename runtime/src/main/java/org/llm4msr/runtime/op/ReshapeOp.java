package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** The same elements under other extents; costs nothing. */
public record ReshapeOp(List<Dim> dims) implements Op {
  public ReshapeOp {
    dims = List.copyOf(dims);
  }

  @Override
  public String name() {
    return "reshape";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 1
            && fixed(in.get(0).dims()) == fixed(dims)
            && symbols(in.get(0).dims()).equals(symbols(dims)),
        this,
        in,
        "as many elements as " + dims);
    return List.of(new ValueType(in.get(0).dtype(), dims));
  }

  private static long fixed(List<Dim> dims) {
    return dims.stream()
        .filter(dim -> !dim.isSymbol())
        .mapToLong(Dim::fixed)
        .reduce(1, (a, b) -> a * b);
  }

  private static List<Dim> symbols(List<Dim> dims) {
    return dims.stream()
        .filter(Dim::isSymbol)
        .sorted(java.util.Comparator.comparingInt(Dim::hashCode))
        .toList();
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Op back = new ReshapeOp(node.input(0).type().dims());
    return new Gradient[] {OpChecks.dense(graph.apply(back, dOut[0]).get(0))};
  }

  @Override
  public boolean isView() {
    return true;
  }
}
