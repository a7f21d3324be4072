package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * One lookup in every field's table, side by side. Inputs: ids I32 {@code [B, F]}, then F tables
 * {@code [V_f, D_f]}; output {@code [B, sum of D_f]}. An id outside its table is reported when the
 * plan runs. The fields may share one table; its gradient is then one list of rows.
 */
public record EmbeddingConcatOp() implements Op {
  @Override
  public String name() {
    return "embeddingConcat";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() >= 2
            && OpChecks.isIds(in.get(0), 2)
            && in.get(0).dim(1).equals(Dim.of(in.size() - 1)),
        this,
        in,
        "ids I32 [B, F] and F tables");
    long width = 0;
    for (ValueType table : in.subList(1, in.size())) {
      OpChecks.check(
          OpChecks.isMatrix(table) && OpChecks.sameCompute(in.get(1), table),
          this,
          in,
          "tables [V, D] of the compute type");
      width += table.dim(1).fixed();
    }
    return List.of(ValueType.of(in.get(1).dtype(), in.get(0).dim(0), Dim.of(width)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Gradient[] result = OpChecks.gradients(needed.length);
    Value first = node.input(1);
    if (node.inputs().stream().skip(1).allMatch(table -> table == first)) {
      if (needed[1]) {
        ValueType table = first.type();
        Op op = SparseRowGradientOp.ofAllColumns(table.dim(1).fixed(), table.dim(0).max());
        List<Value> rows = graph.apply(op, node.input(0), dOut[0]);
        result[1] = new Gradient.SparseRows(rows.get(0), rows.get(1), rows.get(2));
      }
      return result;
    }
    long offset = 0;
    for (int field = 0; field < needed.length - 1; field++) {
      ValueType table = node.input(field + 1).type();
      long width = table.dim(1).fixed();
      if (needed[field + 1]) {
        Op op = new SparseRowGradientOp(field, offset, width, table.dim(0).max());
        List<Value> rows = graph.apply(op, node.input(0), dOut[0]);
        result[field + 1] = new Gradient.SparseRows(rows.get(0), rows.get(1), rows.get(2));
      }
      offset += width;
    }
    return result;
  }
}
