package org.llm4msr.runtime.op;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * What gradients are multiplied by so that their common norm stays within {@code maxNorm} (Pascanu
 * et al. 2013): {@code min(1, maxNorm / sqrt(sum of all squares))}.
 *
 * <p>Inputs, for each gradient: its values, or for {@link Gradient.SparseRows} the count I32 {@code
 * [1]} and then the values {@code [n, width]}, of which the first count rows matter. Output {@code
 * [1]}.
 */
public record ClipFactorOp(double maxNorm) implements Op {
  /** Appends it to the graph of the gradients. */
  public static Value of(Graph graph, Iterable<Gradient> gradients, double maxNorm) {
    List<Value> inputs = new ArrayList<>();
    for (Gradient gradient : gradients) {
      switch (gradient) {
        case Gradient.Dense(Value value) -> inputs.add(value);
        case Gradient.SparseRows(Value _, Value count, Value values) -> {
          inputs.add(count);
          inputs.add(values);
        }
      }
    }
    return graph.apply(new ClipFactorOp(maxNorm), inputs).get(0);
  }

  @Override
  public String name() {
    return "clipFactor";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(!in.isEmpty(), this, in, "at least one gradient");
    DType computeType = null;
    for (int i = 0; i < in.size(); i++) {
      boolean count = in.get(i).equals(ValueType.of(DType.I32, 1));
      boolean fits =
          count
              ? i + 1 < in.size() && OpChecks.isMatrix(in.get(i + 1))
              : in.get(i).dtype().isCompute()
                  && (computeType == null || in.get(i).dtype() == computeType);
      OpChecks.check(fits, this, in, "gradients of one compute type, or counts and rows");
      computeType = count ? computeType : in.get(i).dtype();
    }
    return List.of(ValueType.of(computeType, 1));
  }
}
