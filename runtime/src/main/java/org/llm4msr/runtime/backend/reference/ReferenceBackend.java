package org.llm4msr.runtime.backend.reference;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.F32Types;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.memory.HostBuffer;
import org.llm4msr.runtime.op.AdamOp;
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
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.GatherOp;
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
import org.llm4msr.runtime.op.ScaleOp;
import org.llm4msr.runtime.op.ScatterRowsOp;
import org.llm4msr.runtime.op.SliceOp;
import org.llm4msr.runtime.op.SoftmaxGradientOp;
import org.llm4msr.runtime.op.SoftmaxOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.SparseToDenseOp;
import org.llm4msr.runtime.op.StopGradientOp;
import org.llm4msr.runtime.op.SumToOp;
import org.llm4msr.runtime.op.TransposeOp;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * The operator set in plain Java: the specification that every other backend is compared with, and
 * what runs where nothing faster can. All arithmetic is in double and is rounded once, when a
 * result is stored. One thread; arrays of doubles are reused between kernels, see {@link Scratch}.
 */
public final class ReferenceBackend implements Backend {
  static final String NAME = "reference";

  private final Scratch scratch = new Scratch();

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    return "plain Java, one thread, arithmetic in double";
  }

  @Override
  public boolean computesIn(DType dtype) {
    return dtype.isCompute();
  }

  @Override
  public boolean sharesHostMemory() {
    return true;
  }

  @Override
  public Buffer allocate(long byteSize, String label) {
    return HostBuffer.allocate(byteSize, label);
  }

  @Override
  public Buffer wrap(MemorySegment host, String label) {
    return HostBuffer.borrow(host);
  }

  @Override
  public void upload(MemorySegment host, Buffer buffer, long byteOffset) {
    MemorySegment.copy(host, 0, buffer.segment(), byteOffset, host.byteSize());
  }

  @Override
  public void download(Buffer buffer, long byteOffset, MemorySegment host) {
    MemorySegment.copy(buffer.segment(), byteOffset, host, 0, host.byteSize());
  }

  @Override
  public boolean hasInt8Products() {
    return true;
  }

  @Override
  public Kernel kernel(Op op, List<Operand> in, List<Operand> out) {
    for (int i = 0; i < in.size(); i++) {
      boolean stored = F32Types.isStored(op, i);
      if (in.get(i).dtype().isQuantised() && !stored) {
        throw new UnsupportedOperationException(
            "the reference backend has no "
                + op.name()
                + " with input "
                + i
                + " in "
                + in.get(i).dtype());
      }
    }
    return switch (op) {
      case MatMulOp matmul -> MatrixKernels.matmul(matmul, in, out.get(0), scratch);
      case Int8MatMulOp matmul -> Int8Kernels.matmul(matmul, in, out.get(0), scratch);
      case BlockInt8MatMulOp matmul -> BlockInt8Kernels.matmul(matmul, in, out.get(0), scratch);
      case GroupedMatMulOp matmul -> MatrixKernels.groupedMatmul(matmul, in, out.get(0), scratch);
      case GroupedWeightGradientOp gradient ->
          MatrixKernels.groupedWeightGradient(gradient, in, out.get(0), scratch);
      case GroupedSumOp sum -> MatrixKernels.groupedSum(sum, in, out.get(0), scratch);

      case BlockMatMulOp matmul -> MixtureKernels.blockMatmul(matmul, in, out.get(0), scratch);
      case BlockWeightGradientOp gradient ->
          MixtureKernels.blockWeightGradient(gradient, in, out, scratch);
      case MixtureOp _ -> MixtureKernels.mixture(in, out.get(0), scratch);
      case MixtureGradientOp _ -> MixtureKernels.mixtureGradient(in, out, scratch);
      case MatVecOp _ -> MixtureKernels.matVec(in, out.get(0), scratch);
      case OuterProductOp _ -> MixtureKernels.outerProduct(in, out.get(0), scratch);
      case AttentionPoolingOp _ -> MixtureKernels.attentionPooling(in, out, scratch);
      case AttentionPoolingGradientOp _ ->
          MixtureKernels.attentionPoolingGradient(in, out, scratch);

      case GatherOp gather ->
          LookupKernels.gather(gather, in.get(0), in.get(1), out.get(0), scratch);
      case EmbeddingConcatOp concat -> LookupKernels.embeddingConcat(concat, in, out.get(0));
      case SparseRowGradientOp gradient ->
          LookupKernels.sparseRowGradient(gradient, in.get(0), in.get(1), out, scratch);
      case SparseToDenseOp scatter -> LookupKernels.sparseToDense(scatter, in, out.get(0));
      case ScatterRowsOp scatter -> LookupKernels.scatterRows(scatter, in);

      case RmsNormOp norm -> NormKernels.rmsNorm(norm, in.get(0), in.get(1), out.get(0), scratch);
      case RmsNormGradientOp gradient -> NormKernels.rmsNormGradient(gradient, in, out, scratch);
      case LayerNormOp norm -> NormKernels.layerNorm(norm, in, out.get(0), scratch);
      case LayerNormGradientOp gradient ->
          NormKernels.layerNormGradient(gradient, in, out, scratch);
      case SoftmaxOp _ -> NormKernels.softmax(in.get(0), out.get(0), scratch);
      case SoftmaxGradientOp _ ->
          NormKernels.softmaxGradient(in.get(0), in.get(1), out.get(0), scratch);
      case GroupedBatchNormOp norm -> BatchNormKernels.forward(norm, in, out, scratch);
      case GroupedBatchNormGradientOp gradient ->
          BatchNormKernels.gradient(gradient, in, out, scratch);

      case RopeOp rope -> AttentionKernels.rope(rope, in, out.get(0), scratch);
      case AttentionOp attention -> AttentionKernels.attention(attention, in, out.get(0), scratch);
      case AttentionGradientOp gradient -> AttentionKernels.gradient(gradient, in, out, scratch);

      case UnaryOp unary -> ElementwiseKernels.unary(unary, in.get(0), out.get(0), scratch);
      case UnaryGradientOp gradient ->
          ElementwiseKernels.unaryGradient(gradient, in.get(0), in.get(1), out.get(0), scratch);
      case BinaryOp binary ->
          ElementwiseKernels.binary(binary, in.get(0), in.get(1), out.get(0), scratch);
      case SumToOp _ -> ElementwiseKernels.sumTo(in.get(0), out.get(0), scratch);
      case ScaleOp scale -> ElementwiseKernels.scale(scale, in.get(0), out.get(0), scratch);
      case GluOp glu -> ElementwiseKernels.glu(glu, in.get(0), in.get(1), out.get(0), scratch);
      case GluGradientOp gradient -> ElementwiseKernels.gluGradient(gradient, in, out, scratch);

      case ConcatOp _ -> LayoutKernels.concat(in, out.get(0));
      case SliceOp slice -> LayoutKernels.slice(slice, in.get(0), out.get(0));
      case PadOp pad -> LayoutKernels.pad(pad, in.get(0), out.get(0));
      case TransposeOp _ -> LayoutKernels.transpose(in.get(0), out.get(0));
      case ReshapeOp _, StopGradientOp _ -> LayoutKernels.reshape(in.get(0), out.get(0));

      case BceWithLogitsOp bce -> LossKernels.bce(bce, in, out.get(0));
      case BceWithLogitsGradientOp gradient -> LossKernels.bceGradient(gradient, in, out.get(0));

      case DropoutOp dropout -> RegularisationKernels.dropout(dropout, in, out.get(0), scratch);
      case ClipFactorOp clip -> RegularisationKernels.clipFactor(clip, in, out.get(0), scratch);
      case AdamOp adam -> OptimiserKernels.adam(adam, in, scratch);
      case SparseAdamOp adam -> OptimiserKernels.sparseAdam(adam, in, scratch);

      case FusedOp fused -> FusedKernels.bind(this, fused, in, out);
    };
  }

  @Override
  public void close() {
    // Owns nothing outside the heap.
  }
}
