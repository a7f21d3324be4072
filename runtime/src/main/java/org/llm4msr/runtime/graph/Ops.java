package org.llm4msr.runtime.graph;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.AttentionPoolingOp;
import org.llm4msr.runtime.op.BceWithLogitsOp;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.ConcatOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.LayerNormOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MatVecOp;
import org.llm4msr.runtime.op.MixtureOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.OuterProductOp;
import org.llm4msr.runtime.op.ReshapeOp;
import org.llm4msr.runtime.op.RmsNormOp;
import org.llm4msr.runtime.op.RopeOp;
import org.llm4msr.runtime.op.ScaleOp;
import org.llm4msr.runtime.op.SliceOp;
import org.llm4msr.runtime.op.SoftmaxOp;
import org.llm4msr.runtime.op.StopGradientOp;
import org.llm4msr.runtime.op.TransposeOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Applies operators by name, so that models read like their formulas. */
public final class Ops {
  private Ops() {}

  private static Value one(Op op, Value... inputs) {
    return inputs[0].graph().apply(op, inputs).get(0);
  }

  /** {@code a b}: {@code [M, K] x [K, N] -> [M, N]}. */
  public static Value matmul(Value a, Value b) {
    return one(new MatMulOp(false, false, false, false, null), a, b);
  }

  /** {@code act(a b + residual)}, activation or null. */
  public static Value matmul(Value a, Value b, Value residual, UnaryOp.Kind activation) {
    return one(new MatMulOp(false, false, false, true, activation), a, b, residual);
  }

  /**
   * {@code act(x W^T + bias)}, the field's linear layer.
   *
   * @param weight {@code [out, in]}
   * @param bias {@code [out]}, or null
   * @param activation or null
   */
  public static Value linear(Value x, Value weight, Value bias, UnaryOp.Kind activation) {
    return bias == null
        ? one(new MatMulOp(false, true, false, false, activation), x, weight)
        : one(new MatMulOp(false, true, true, false, activation), x, weight, bias);
  }

  /** {@code act(x W^T + bias + residual)}, bias and activation or null. */
  public static Value linear(
      Value x, Value weight, Value bias, Value residual, UnaryOp.Kind activation) {
    return bias == null
        ? one(new MatMulOp(false, true, false, true, activation), x, weight, residual)
        : one(new MatMulOp(false, true, true, true, activation), x, weight, bias, residual);
  }

  /**
   * One layer per group of rows; see {@link GroupedMatMulOp}.
   *
   * @param weight {@code [groups, in, out]}, or {@code [groups, out, in]} if transposed
   * @param bias {@code [groups, out]}, or null
   * @param activation or null
   */
  public static Value groupedLinear(
      Value x,
      Value weight,
      boolean transposed,
      Value bias,
      Grouping rows,
      UnaryOp.Kind activation) {
    Op op = new GroupedMatMulOp(transposed, bias != null, activation);
    return bias == null
        ? one(op, x, weight, rows.order(), rows.offsets())
        : one(op, x, weight, rows.order(), rows.offsets(), bias);
  }

  /**
   * One layer per block of columns; see {@link BlockMatMulOp}.
   *
   * @param weight {@code [groups, out, in]}
   * @param bias {@code [groups, out]}, or null
   * @param activation or null
   */
  public static Value blockLinear(Value x, Value weight, Value bias, UnaryOp.Kind activation) {
    Op op = new BlockMatMulOp(true, bias != null, activation, false);
    return bias == null ? one(op, x, weight) : one(op, x, weight, bias);
  }

  /**
   * {@code y[r] = sum_k gate[r, k] x_k[r]} over blocks of columns, as if {@code x} stood side by
   * side; see {@link MixtureOp}.
   */
  public static Value mixture(Value gate, Value... x) {
    Value[] inputs = new Value[x.length + 1];
    inputs[0] = gate;
    System.arraycopy(x, 0, inputs, 1, x.length);
    return one(new MixtureOp(), inputs);
  }

  /** {@code y[r] = M_r v[r]} with each row's own matrix; see {@link MatVecOp}. */
  public static Value matVec(Value matrices, Value v) {
    return one(new MatVecOp(), matrices, v);
  }

  /** {@code y[r] = a[r] b[r]^T}, flat; see {@link OuterProductOp}. */
  public static Value outerProduct(Value a, Value b) {
    return one(new OuterProductOp(), a, b);
  }

  /** Each matrix of a stack, transposed: {@code [G, M, N]} becomes {@code [G, N, M]}. */
  public static Value transpose(Value x) {
    return one(new TransposeOp(), x);
  }

  /**
   * Each row's query attends to the row's own list; see {@link AttentionPoolingOp}.
   *
   * @return y {@code [R, D]}
   */
  public static Value attentionPooling(Value q, Value x, Value present) {
    return one(new AttentionPoolingOp(), q, x, present);
  }

  /** The same values, through which no gradient passes. */
  public static Value stopGradient(Value x) {
    return one(new StopGradientOp(), x);
  }

  /**
   * Which rows belong to which group.
   *
   * @param order I32 {@code [rows]}: row numbers sorted by group
   * @param offsets I32 {@code [groups + 1]}: where each group begins in {@code order}
   */
  public record Grouping(Value order, Value offsets) {}

  public static Value gather(Value table, Value ids) {
    return one(new GatherOp(table.graph().computeType()), table, ids);
  }

  /** One lookup per field, side by side; see {@link EmbeddingConcatOp}. */
  public static Value embeddings(Value ids, List<Value> tables) {
    Value[] inputs = new Value[tables.size() + 1];
    inputs[0] = ids;
    for (int i = 0; i < tables.size(); i++) {
      inputs[i + 1] = tables.get(i);
    }
    return one(new EmbeddingConcatOp(), inputs);
  }

  public static Value rmsNorm(Value x, Value weight, double epsilon) {
    return one(new RmsNormOp(epsilon), x, weight);
  }

  public static Value layerNorm(Value x, Value weight, Value bias, double epsilon) {
    return one(new LayerNormOp(epsilon), x, weight, bias);
  }

  public static Value rope(RopeOp op, Value x, Value positions, Value inverseFrequencies) {
    return one(op, x, positions, inverseFrequencies);
  }

  public static Value attention(AttentionOp op, Value q, Value k, Value v, Value offsets) {
    return one(op, q, k, v, offsets);
  }

  /** Attention to keys other than the tokens' own; see {@link AttentionOp}. */
  public static Value attention(
      AttentionOp op, Value q, Value k, Value v, Value offsets, Value keyBegins, Value keyEnds) {
    return one(op, q, k, v, offsets, keyBegins, keyEnds);
  }

  /** {@code activation(gate) * up}. */
  public static Value glu(UnaryOp.Kind activation, Value gate, Value up) {
    return one(new GluOp(activation), gate, up);
  }

  public static Value softmax(Value x) {
    return one(new SoftmaxOp(), x);
  }

  public static Value relu(Value x) {
    return one(new UnaryOp(UnaryOp.Kind.RELU), x);
  }

  public static Value sigmoid(Value x) {
    return one(new UnaryOp(UnaryOp.Kind.SIGMOID), x);
  }

  public static Value add(Value a, Value b) {
    return one(new BinaryOp(BinaryOp.Kind.ADD), a, b);
  }

  public static Value sub(Value a, Value b) {
    return one(new BinaryOp(BinaryOp.Kind.SUB), a, b);
  }

  public static Value mul(Value a, Value b) {
    return one(new BinaryOp(BinaryOp.Kind.MUL), a, b);
  }

  public static Value div(Value a, Value b) {
    return one(new BinaryOp(BinaryOp.Kind.DIV), a, b);
  }

  /** {@code scale * x + offset}. */
  public static Value scale(Value x, double scale, double offset) {
    return one(new ScaleOp(scale, offset), x);
  }

  public static Value concat(Value... parts) {
    return parts.length == 1 ? parts[0] : one(new ConcatOp(), parts);
  }

  /** Columns {@code [from, to)}. */
  public static Value slice(Value x, long from, long to) {
    boolean all = from == 0 && x.type().rank() == 2 && x.type().dim(1).equals(Dim.of(to));
    return all ? x : one(new SliceOp(from, to), x);
  }

  public static Value reshape(Value x, Dim... dims) {
    return one(new ReshapeOp(Arrays.asList(dims)), x);
  }

  /** Mean binary cross-entropy of logits {@code [B]} or {@code [B, 1]}. */
  public static Value bceWithLogits(Value logits, Value labels) {
    return one(new BceWithLogitsOp(false), logits, labels);
  }

  /** The same, each row times its weight {@code [B]}; still divided by B. */
  public static Value bceWithLogits(Value logits, Value labels, Value weights) {
    return one(new BceWithLogitsOp(true), logits, labels, weights);
  }
}
