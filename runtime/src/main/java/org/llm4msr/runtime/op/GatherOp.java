package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Rows of a table: {@code y[i] = table[ids[i]]}. The table {@code [V, D]} may be of any real type,
 * quantised in rows of whole blocks; ids are I32 {@code [R]}; output {@code [R, D]} of the compute
 * type. An id outside {@code [0, V)} is reported when the plan runs.
 */
public record GatherOp(DType computeType) implements Op {
  @Override
  public String name() {
    return "gather";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 2
            && OpChecks.isMatrix(in.get(0))
            && in.get(0).dtype().isFloat()
            && OpChecks.hasWholeBlocks(in.get(0))
            && OpChecks.isIds(in.get(1), 1),
        this,
        in,
        "table [V, D] and ids I32 [R]");
    return List.of(ValueType.of(computeType, in.get(1).dim(0), in.get(0).dim(1)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    ValueType table = node.input(0).type();
    Op op = new SparseRowGradientOp(0, 0, table.dim(1).fixed(), table.dim(0).max());
    List<Value> rows = graph.apply(op, node.input(1), dOut[0]);
    return new Gradient[] {new Gradient.SparseRows(rows.get(0), rows.get(1), rows.get(2)), null};
  }
}
