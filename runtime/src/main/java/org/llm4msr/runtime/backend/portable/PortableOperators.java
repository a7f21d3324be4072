package org.llm4msr.runtime.backend.portable;

import java.util.List;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.backend.F32Types;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.AddRmsNormOp;
import org.llm4msr.runtime.op.AttentionGradientOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.AttentionPoolingGradientOp;
import org.llm4msr.runtime.op.AttentionPoolingOp;
import org.llm4msr.runtime.op.BceWithLogitsGradientOp;
import org.llm4msr.runtime.op.BceWithLogitsOp;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.BlockInt8MatMulOp;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;
import org.llm4msr.runtime.op.ClipFactorOp;
import org.llm4msr.runtime.op.ConcatOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.GatedMatMulOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.GatheredMatMulOp;
import org.llm4msr.runtime.op.GatheredWeightGradientOp;
import org.llm4msr.runtime.op.GluGradientOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.GroupedBatchNormGradientOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.GroupedSumOp;
import org.llm4msr.runtime.op.GroupedWeightGradientOp;
import org.llm4msr.runtime.op.Int8MatMulOp;
import org.llm4msr.runtime.op.LayerNormGradientOp;
import org.llm4msr.runtime.op.LayerNormOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MatMulsOp;
import org.llm4msr.runtime.op.MatVecOp;
import org.llm4msr.runtime.op.MixtureGradientOp;
import org.llm4msr.runtime.op.MixtureOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.OuterProductOp;
import org.llm4msr.runtime.op.PadOp;
import org.llm4msr.runtime.op.ReshapeOp;
import org.llm4msr.runtime.op.RmsNormGradientOp;
import org.llm4msr.runtime.op.RmsNormOp;
import org.llm4msr.runtime.op.RopeOp;
import org.llm4msr.runtime.op.RowAttentionOp;
import org.llm4msr.runtime.op.ScaleOp;
import org.llm4msr.runtime.op.ScatterRowsOp;
import org.llm4msr.runtime.op.SliceOp;
import org.llm4msr.runtime.op.SoftmaxGradientOp;
import org.llm4msr.runtime.op.SoftmaxOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.SparseToDenseOp;
import org.llm4msr.runtime.op.StopGradientOp;
import org.llm4msr.runtime.op.SumToOp;
import org.llm4msr.runtime.op.TransposeOp;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * Every operator but products of 8-bit integers as one or several portable kernels, in F32; matmul
 * and gather also read F16, BF16 and quantised weights.
 */
public final class PortableOperators {
  // Numbers of scratch memory. An operator's kernels use each for one thing.
  static final int PANELS = 0;
  static final int WIDENED = 1;
  static final int TILE_STARTS = 2;
  static final int PARTIAL_SUMS = 3;
  static final int ROW_STATISTICS = 4;
  static final int SORT_KEYS = 5;
  static final int LISTED_ROWS = 6;
  static final int LISTED_COUNT = 7;
  static final int SPLIT_SUMS = 8;

  /** The first number of scratch memory that is left to the device's own kernels. */
  public static final int OWN_SCRATCH = 9;

  private PortableOperators() {}

  /** An activation's number in kk.h; 0 for null. */
  public static int number(UnaryOp.Kind activation) {
    return ElementCalls.number(activation);
  }

  /**
   * What was looked up in a table, sorted, in scratch memory; sparse.kk says what it holds.
   *
   * @param kernel that sorts, to be run first
   * @param count of lookups in the current run
   * @param mostRows distinct ids in any run
   */
  public record SortedLookups(
      Kernel kernel,
      LongSupplier count,
      long mostRows,
      Device.Scratch keys,
      Device.Scratch rows,
      Device.Scratch starts,
      Device.Scratch total) {}

  /**
   * Sorts lookups by id, for a device's own kernel that goes on from there.
   *
   * @param op named in messages about ids out of range
   */
  public static SortedLookups sortedLookups(
      Device device, Op op, SparseRowGradientOp gradient, Operand ids) {
    return TableCalls.sortedLookups(device, op, gradient, ids);
  }

  /** Fused operators that have portable kernels; see {@code Backend.fuses}. */
  public static boolean fuses(FusedOp op) {
    return op instanceof RowAttentionOp;
  }

  /** Registers that an id in a table's lookups may be out of range; see {@link Device#faults}. */
  public static int idFault(Device device, Op op) {
    return TableCalls.idFault(device, op);
  }

  /**
   * Binds an operator.
   *
   * @param backend its name, for messages
   * @throws UnsupportedOperationException if there is no such operator for these types
   */
  public static Kernel bind(
      String backend, Device device, Op op, List<Operand> in, List<Operand> out) {
    F32Types.require(backend, op, in);
    Kernel own = isChecked(op) ? null : device.own(op, in, out);
    Kernel kernel = own != null ? own : kernel(backend, device, op, in, out);
    ShapeCheck check = new ShapeCheck(op, in, out);
    return () -> {
      check.run();
      kernel.run();
    };
  }

  /** Whether portable kernels check an operator's indices before one of the device's own runs. */
  private static boolean isChecked(Op op) {
    return op instanceof AttentionOp || op instanceof RowAttentionOp;
  }

  private static Kernel kernel(
      String backend, Device device, Op op, List<Operand> in, List<Operand> out) {
    return switch (op) {
      case MatMulOp matmul -> MatrixCalls.matmul(device, matmul, in, out.get(0));
      case Int8MatMulOp _,
          BlockInt8MatMulOp _,
          GatedMatMulOp _,
          MatMulsOp _,
          AddRmsNormOp _,
          SparseRowAdamOp _,
          GatheredMatMulOp _,
          GatheredWeightGradientOp _,
          DeferredAdamOp _,
          AdamCatchUpOp _ ->
          throw new UnsupportedOperationException(
              "the " + backend + " backend has no " + op.name());
      case GroupedMatMulOp matmul -> MatrixCalls.groupedMatmul(device, matmul, in, out.get(0));
      case GroupedWeightGradientOp gradient ->
          MatrixCalls.groupedWeightGradient(device, gradient, in, out.get(0));
      case GroupedSumOp sum -> MatrixCalls.groupedSum(device, sum, in, out.get(0));
      case BlockMatMulOp matmul -> MatrixCalls.blockMatmul(device, matmul, in, out.get(0));
      case BlockWeightGradientOp gradient ->
          MatrixCalls.blockWeightGradient(device, gradient, in, out);

      case MixtureOp _ -> MixtureCalls.mixture(device, in, out.get(0));
      case MixtureGradientOp _ -> MixtureCalls.mixtureGradient(device, in, out);
      case MatVecOp _ -> MixtureCalls.matVec(device, in, out.get(0));
      case OuterProductOp _ -> MixtureCalls.outerProduct(device, in, out.get(0));
      case AttentionPoolingOp _ -> MixtureCalls.attentionPooling(device, in, out);
      case AttentionPoolingGradientOp _ -> MixtureCalls.attentionPoolingGradient(device, in, out);

      case RopeOp rope -> AttentionCalls.rope(device, rope, in, out.get(0));
      case AttentionOp attention -> AttentionCalls.attention(device, attention, in, out);
      case RowAttentionOp attention -> AttentionCalls.rowAttention(device, attention, in, out);
      case AttentionGradientOp gradient -> AttentionCalls.gradient(device, gradient, in, out);

      case GatherOp gather -> TableCalls.gather(device, gather, in, out.get(0));
      case EmbeddingConcatOp concat -> TableCalls.embeddingConcat(device, concat, in, out.get(0));
      case SparseRowGradientOp gradient -> TableCalls.sparseRowGradient(device, gradient, in, out);
      case SparseToDenseOp scatter -> TableCalls.sparseToDense(device, scatter, in, out.get(0));
      case ScatterRowsOp scatter -> TableCalls.scatterRows(device, scatter, in);

      case RmsNormOp norm -> RowCalls.rmsNorm(device, norm, in, out.get(0));
      case RmsNormGradientOp gradient -> RowCalls.rmsNormGradient(device, gradient, in, out);
      case LayerNormOp norm -> RowCalls.layerNorm(device, norm, in, out.get(0));
      case LayerNormGradientOp gradient -> RowCalls.layerNormGradient(device, gradient, in, out);
      case GroupedBatchNormOp norm -> RowCalls.batchNorm(device, norm, in, out);
      case GroupedBatchNormGradientOp gradient ->
          RowCalls.batchNormGradient(device, gradient, in, out);
      case SoftmaxOp _ -> RowCalls.softmax(device, in.get(0), out.get(0));
      case SoftmaxGradientOp _ -> RowCalls.softmaxGradient(device, in, out.get(0));

      case UnaryOp unary -> ElementCalls.unary(device, unary, in.get(0), out.get(0));
      case UnaryGradientOp gradient -> ElementCalls.unaryGradient(device, gradient, in, out.get(0));
      case BinaryOp binary -> ElementCalls.binary(device, binary, in, out.get(0));
      case ScaleOp scale -> ElementCalls.scale(device, scale, in.get(0), out.get(0));
      case GluOp glu -> ElementCalls.glu(device, glu, in, out.get(0));
      case GluGradientOp gradient -> ElementCalls.gluGradient(device, gradient, in, out);
      case DropoutOp dropout -> ElementCalls.dropout(device, dropout, in, out.get(0));

      case SumToOp sum -> LayoutCalls.sumTo(device, sum, in.get(0), out.get(0));
      case ConcatOp _ -> LayoutCalls.concat(device, in, out.get(0));
      case SliceOp slice -> LayoutCalls.slice(device, slice, in.get(0), out.get(0));
      case PadOp pad -> LayoutCalls.pad(device, pad, in.get(0), out.get(0));
      case TransposeOp _ -> LayoutCalls.transpose(device, in.get(0), out.get(0));
      case ReshapeOp _, StopGradientOp _ -> LayoutCalls.reshape(device, in.get(0), out.get(0));

      case BceWithLogitsOp bce -> TrainingCalls.bce(device, bce.weighted(), in, out.get(0));
      case BceWithLogitsGradientOp bce ->
          TrainingCalls.bceGradient(device, bce.weighted(), in, out.get(0));
      case ClipFactorOp clip -> TrainingCalls.clipFactor(device, clip, in, out.get(0));
      case AdamOp adam -> TrainingCalls.adam(device, adam, in);
      case SparseAdamOp adam -> TrainingCalls.sparseAdam(device, adam, in);
    };
  }
}
