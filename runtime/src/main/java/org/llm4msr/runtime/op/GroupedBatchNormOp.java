package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Batch normalisation with statistics per group of rows; STAR's partitioned normalisation when the
 * groups are scenarios (Sheng et al. 2021), plain batch normalisation with one group.
 *
 * <p>Training: a group's rows are normalised by their own mean and biased variance, and the running
 * statistics move towards the mean and the unbiased variance by {@code momentum}. A group of fewer
 * than two rows has no variance: it uses the running statistics and leaves them. Evaluation: always
 * the running statistics.
 *
 * <p>Inputs: x {@code [R, D]}, order I32 {@code [R]}, offsets I32 {@code [G + 1]}, scale, shift,
 * running mean, running variance, each {@code [G, D]}. Outputs: y {@code [R, D]} {@code = (x -
 * mean) * inverseStd * scale + shift}, and the mean and inverse standard deviation used, {@code [G,
 * D]}.
 */
public record GroupedBatchNormOp(double epsilon, double momentum, boolean training) implements Op {
  @Override
  public String name() {
    return "groupedBatchNorm";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 7
            && OpChecks.isMatrix(in.get(0))
            && OpChecks.isMatrix(in.get(3))
            && OpChecks.sameCompute(in.get(0), in.get(3))
            && in.get(3).dim(1).equals(in.get(0).dim(1))
            && in.subList(4, 7).stream().allMatch(in.get(3)::equals)
            && OpChecks.isGrouping(in.get(1), in.get(2), in.get(0).dim(0), in.get(3).dim(0)),
        this,
        in,
        "x [R, D], order I32 [R], offsets I32 [G + 1], four times [G, D]");
    return List.of(in.get(0), in.get(3), in.get(3));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    List<Value> d =
        graph.apply(
            new GroupedBatchNormGradientOp(training),
            node.input(0),
            node.input(1),
            node.input(2),
            node.input(3),
            node.outputs().get(1),
            node.outputs().get(2),
            dOut[0]);
    Gradient[] result = OpChecks.gradients(needed.length);
    result[0] = OpChecks.dense(d.get(0));
    result[3] = OpChecks.dense(d.get(1));
    result[4] = OpChecks.dense(d.get(2));
    return result;
  }

  @Override
  public boolean hasEffect() {
    return training;
  }
}
