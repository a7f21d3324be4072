package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Rotary position embedding (Su et al. 2021): in each head the first {@code rotaryDims} numbers are
 * pairs, turned by the angle {@code position * inverseFrequency[i]} and multiplied by {@code
 * scale}; the rest is copied. Pair i is {@code (i, i + rotaryDims/2)}, or {@code (2i, 2i + 1)} if
 * interleaved.
 *
 * <p>Inputs: x {@code [T, heads * headDim]}, positions I32 {@code [T]}, inverse frequencies {@code
 * [rotaryDims / 2]}; output like x.
 *
 * @param scale 1, but for yarn (Peng et al. 2023)
 * @param inverse turns the other way, which is the gradient
 */
public record RopeOp(
    int heads, int headDim, int rotaryDims, boolean interleaved, double scale, boolean inverse)
    implements Op {
  @Override
  public String name() {
    return "rope";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3
            && rotaryDims % 2 == 0
            && rotaryDims <= headDim
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.sameCompute(in.get(0), in.get(2))
            && in.get(0).dim(1).equals(Dim.of((long) heads * headDim))
            && OpChecks.isIds(in.get(1), 1)
            && in.get(1).dim(0).equals(in.get(0).dim(0))
            && in.get(2).dims().equals(List.of(Dim.of(rotaryDims / 2))),
        this,
        in,
        "x [T, heads * headDim], positions I32 [T], inverse frequencies [rotaryDims / 2]");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Op turnBack = new RopeOp(heads, headDim, rotaryDims, interleaved, scale, !inverse);
    Value dX = graph.apply(turnBack, dOut[0], node.input(1), node.input(2)).get(0);
    return new Gradient[] {OpChecks.dense(dX), null, null};
  }
}
