package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * {@code y = act(x Wg^T) * (x Wu^T)} (SwiGLU with SILU, Shazeer 2020): two products and the {@link
 * GluOp} of them. Inputs: x {@code [M, K]}, Wg and Wu {@code [N, K]} of one type; output {@code [M,
 * N]}.
 */
public record GatedMatMulOp(UnaryOp.Kind activation) implements FusedOp {
  /** Each of the products. */
  public static final MatMulOp PRODUCT = new MatMulOp(false, true, false, false, null);

  @Override
  public String name() {
    return "gatedMatmul";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 3 && in.get(1).equals(in.get(2)),
        this,
        in,
        "x [M, K] and two matrices [N, K] of one type");
    return PRODUCT.infer(in.subList(0, 2));
  }
}
