package org.llm4msr.runtime.op;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * The gradient of {@link GatheredMatMulOp}'s B: {@link BlockWeightGradientOp} whose x is looked up
 * in a table and read where it lies. Inputs: the table {@code [V, K]} of the compute type, ids I32
 * {@code [R]}, dy {@code [R, N]}; outputs as the gradient's.
 *
 * @param gradient of one block
 */
public record GatheredWeightGradientOp(BlockWeightGradientOp gradient) implements FusedOp {
  @Override
  public String name() {
    return "gatheredWeightGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3 && in.get(0).dtype().isCompute() && gradient.groups() == 1,
        this,
        in,
        "a table of the compute type, ids, dy and one block");
    List<ValueType> operands =
        new ArrayList<>(new GatherOp(in.get(0).dtype()).infer(in.subList(0, 2)));
    operands.add(in.get(2));
    return gradient.infer(operands);
  }
}
