package org.llm4msr.runtime.op;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Each row mixes its own blocks of columns: {@code y[r] = sum_k gate[r, k] x_k[r]}, where x_k are
 * the columns {@code [k H, (k + 1) H)} of x. A mixture of experts is this operator, and so is the
 * product of a row's vector with a matrix of its own; with H = 1 it is the rows' inner product.
 *
 * <p>Inputs: gate {@code [R, K]}, x {@code [R, K H]}, which may come in several values that are
 * read as if they stood side by side, each of whole blocks. Output {@code [R, H]}.
 */
public record MixtureOp() implements Op {
  @Override
  public String name() {
    return "mixture";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    boolean fits = in.size() >= 2 && OpChecks.isMatrix(in.get(0)) && in.get(0).dim(1).fixed() > 0;
    long all = 0;
    for (int i = 1; i < in.size() && fits; i++) {
      fits =
          OpChecks.isMatrix(in.get(i))
              && OpChecks.sameCompute(in.get(0), in.get(i))
              && in.get(i).dim(0).equals(in.get(0).dim(0));
      all += fits ? in.get(i).dim(1).fixed() : 0;
    }
    long blocks = fits ? in.get(0).dim(1).fixed() : 1;
    long width = all / blocks;
    fits = fits && all % blocks == 0;
    for (int i = 1; i < in.size() && fits; i++) {
      fits = width == 0 || in.get(i).dim(1).fixed() % width == 0;
    }
    OpChecks.check(fits, this, in, "gate [R, K] and x [R, K H], in parts of whole blocks");
    return List.of(in.get(1).withLast(Dim.of(width)));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    List<Value> inputs = new ArrayList<>(node.inputs());
    inputs.add(dOut[0]);
    return graph.apply(new MixtureGradientOp(), inputs).stream()
        .map(OpChecks::dense)
        .toArray(Gradient[]::new);
  }
}
