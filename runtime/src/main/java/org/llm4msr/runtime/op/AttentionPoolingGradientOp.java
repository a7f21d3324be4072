package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Gradients of {@link AttentionPoolingOp}. With {@code s_k = a[r, k] <dy[r], x_k[r] - y[r]>}, the
 * gradient of an element's inner product with the query: {@code dq[r] = sum_k s_k x_k[r]}, {@code
 * dx_k[r] = a[r, k] dy[r] + s_k q[r]}. Elements of weight 0 are not read.
 *
 * <p>Inputs: q {@code [R, D]}, x {@code [R, L D]}, the weights a {@code [R, L]}, y and dy {@code
 * [R, D]}. Outputs: dq, dx.
 */
public record AttentionPoolingGradientOp() implements Op {
  @Override
  public String name() {
    return "attentionPoolingGradient";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 5
            && AttentionPoolingOp.fits(in.get(0), in.get(1), in.get(2))
            && in.get(3).equals(in.get(0))
            && in.get(4).equals(in.get(0)),
        this,
        in,
        "q [R, D], x [R, L D], a [R, L], y and dy like q");
    return List.of(in.get(0), in.get(1));
  }
}
