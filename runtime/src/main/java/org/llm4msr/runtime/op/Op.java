package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * An operator: its shape rule and its gradient. What it computes is specified in its Javadoc and,
 * executably, by the reference backend. The interface is sealed so that the compiler points at
 * every backend that lacks a new operator.
 */
public sealed interface Op
    permits MatMulOp,
        Int8MatMulOp,
        BlockInt8MatMulOp,
        GroupedMatMulOp,
        GroupedWeightGradientOp,
        GroupedSumOp,
        BlockMatMulOp,
        BlockWeightGradientOp,
        MixtureOp,
        MixtureGradientOp,
        MatVecOp,
        OuterProductOp,
        AttentionPoolingOp,
        AttentionPoolingGradientOp,
        GatherOp,
        EmbeddingConcatOp,
        SparseRowGradientOp,
        SparseToDenseOp,
        RmsNormOp,
        RmsNormGradientOp,
        LayerNormOp,
        LayerNormGradientOp,
        GroupedBatchNormOp,
        GroupedBatchNormGradientOp,
        RopeOp,
        AttentionOp,
        AttentionGradientOp,
        UnaryOp,
        UnaryGradientOp,
        BinaryOp,
        SumToOp,
        ScaleOp,
        GluOp,
        GluGradientOp,
        SoftmaxOp,
        SoftmaxGradientOp,
        ConcatOp,
        SliceOp,
        PadOp,
        ReshapeOp,
        TransposeOp,
        StopGradientOp,
        BceWithLogitsOp,
        BceWithLogitsGradientOp,
        DropoutOp,
        ClipFactorOp,
        AdamOp,
        SparseAdamOp,
        ScatterRowsOp,
        FusedOp {
  /** Name for messages and profiles. */
  String name();

  /**
   * The shape rule.
   *
   * @return types of the outputs; none for operators that only update state
   * @throws IllegalArgumentException if the inputs do not fit
   */
  List<ValueType> infer(List<ValueType> inputs);

  /**
   * Appends to {@code graph} what computes the gradients of {@code node}'s inputs.
   *
   * @param outputGradients one per output, null where the loss does not depend on it
   * @param needed which inputs want one
   * @return one per input; null where it is not needed or zero everywhere
   * @throws IllegalArgumentException if the operator cannot be differentiated
   */
  default Gradient[] gradient(Graph graph, Node node, Value[] outputGradients, boolean[] needed) {
    throw new IllegalArgumentException(name() + " cannot be differentiated");
  }

  /** Whether it updates some of its inputs in place, so that it runs even if nobody reads it. */
  default boolean hasEffect() {
    return false;
  }

  /** Whether its output is its input's memory: it needs no kernel. */
  default boolean isView() {
    return false;
  }
}
