package org.llm4msr.runtime.op;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * {@link GatherOp} and the product of what it looks up, which is read where it lies: {@code C =
 * act(table[ids] op(B) + bias)}. Inputs: the table {@code [V, K]} of the compute type, ids I32
 * {@code [M]}, then B and the bias as in {@link MatMulOp}; output {@code [M, N]}.
 *
 * @param product A is not transposed, and there is no residual
 */
public record GatheredMatMulOp(MatMulOp product) implements FusedOp {
  @Override
  public String name() {
    return "gatheredMatmul";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() > 2
            && in.get(0).dtype().isCompute()
            && !product.transposeA()
            && !product.hasResidual(),
        this,
        in,
        "a table of the compute type, ids, B and perhaps a bias");
    List<ValueType> operands =
        new ArrayList<>(new GatherOp(in.get(0).dtype()).infer(in.subList(0, 2)));
    operands.addAll(in.subList(2, in.size()));
    return product.infer(operands);
  }
}
