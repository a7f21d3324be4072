package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * {@link MatMulOp} of weights in blocks with activations rounded to 8 bits in blocks, for frozen
 * weights: the arithmetic of ggml's products, but for its rounding the scales of activations to
 * F16. B {@code [N, K]} is transposed and stays as it is stored, scales included. Rows of A {@code
 * [M, K]} are rounded in blocks of {@value #BLOCK}: {@code x = round(127 a / max |a|) max |a| /
 * 127}, in float and to the nearest even. {@code C = act(x B^T + bias + residual)}. A block that is
 * not finite gives NaN.
 *
 * @param activation applied last, or null
 */
public record BlockInt8MatMulOp(boolean hasBias, boolean hasResidual, UnaryOp.Kind activation)
    implements Op {
  /** Activations that share a scale. */
  public static final int BLOCK = 32;

  /** Whether there are such products with weights of this type. */
  public static boolean takes(DType dtype) {
    return switch (dtype) {
      case Q8_0, Q4_0, Q4_K, Q6_K -> true;
      default -> false;
    };
  }

  @Override
  public String name() {
    return "block_int8_matmul";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    List<ValueType> out = new MatMulOp(false, true, hasBias, hasResidual, activation).infer(in);
    OpChecks.check(takes(in.get(1).dtype()), this, in, "B in Q8_0, Q4_0, Q4_K or Q6_K");
    return out;
  }

  /**
   * @throws UnsupportedOperationException always: rounding has no gradient
   */
  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    throw new UnsupportedOperationException(name() + " has no gradient");
  }
}
