package org.llm4msr.runtime.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Gathered;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.bindings.cpu.LargePages;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.F32Types;
import org.llm4msr.runtime.backend.Frozen;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.memory.HostBuffer;
import org.llm4msr.runtime.op.AdamCatchUpOp;
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
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.FusedOp;
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
 * The operator set by C kernels, in F32; matmul and gather also read F16, BF16 and quantised
 * weights.
 */
public final class CpuBackend implements Backend {
  static final String NAME = "cpu";

  private final CpuPool pool;
  private final FrozenMatrices frozen;
  private final AllocationTracker.Entry poolEntry;
  // Extents and table descriptions that kernels hand to native code.
  private final List<HostBuffer> arguments = new ArrayList<>();

  CpuBackend(int threads) {
    pool = new CpuPool(threads);
    frozen = new FrozenMatrices(pool);
    poolEntry = AllocationTracker.opened("threads of the cpu backend", 0);
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    return "C kernels for " + Isa.selected() + ", threads " + pool.threads();
  }

  @Override
  public boolean computesIn(DType dtype) {
    return dtype == DType.F32;
  }

  @Override
  public boolean sharesHostMemory() {
    return true;
  }

  /** Arrays of several megabytes, such as tables and a plan's workspace, in large pages. */
  @Override
  public Buffer allocate(long byteSize, String label) {
    if (byteSize < LargePages.WORTH_BYTES) {
      return HostBuffer.allocate(byteSize, label);
    }
    return HostBuffer.allocate(label, arena -> LargePages.allocate(byteSize, arena));
  }

  /** Borrows all native memory; kernels refuse what is not aligned to its elements. */
  @Override
  public Buffer wrap(MemorySegment host, String label) {
    if (host.isNative()) {
      return HostBuffer.borrow(host);
    }
    HostBuffer copy = HostBuffer.allocate(host.byteSize(), label);
    copy.segment().copyFrom(host);
    return copy;
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
  public Frozen freeze(Tensor matrix) {
    return frozen.add(matrix);
  }

  /**
   * Products where packing rows would cost as much as looking them up, and Adam's steps that wait
   * for their rows to be read.
   */
  @Override
  public boolean fuses(FusedOp op, List<ValueType> in) {
    return switch (op) {
      case GatheredMatMulOp _ ->
          op.infer(in).getFirst().dim(1).max() <= Gathered.NARROW && in.get(2).dtype() == DType.F32;
      case GatheredWeightGradientOp _ -> in.get(2).dim(1).max() <= Gathered.NARROW;
      case DeferredAdamOp _, AdamCatchUpOp _ -> true;
      default -> false;
    };
  }

  @Override
  public Kernel kernel(Op op, List<Operand> in, List<Operand> out) {
    F32Types.require(name(), op, in);
    return switch (op) {
      case MatMulOp matmul -> matmul(matmul, in, out.get(0));
      case Int8MatMulOp matmul -> MatrixBindings.int8Matmul(pool, matmul, in, frozen, out.get(0));
      case BlockInt8MatMulOp matmul ->
          MatrixBindings.blockInt8Matmul(pool, matmul, in, frozen, out.get(0));
      case GroupedMatMulOp matmul -> MatrixBindings.groupedMatmul(pool, matmul, in, out.get(0));
      case GroupedWeightGradientOp gradient ->
          MatrixBindings.groupedWeightGradient(pool, gradient, in, out.get(0));
      case GroupedSumOp sum -> MatrixBindings.groupedSum(pool, sum, in, out.get(0));
      case RopeOp rope -> MatrixBindings.rope(pool, rope, in, out.get(0));
      case AttentionOp attention -> MatrixBindings.attention(pool, attention, in, out.get(0));
      case AttentionGradientOp gradient ->
          MatrixBindings.attentionGradient(pool, gradient.forward(), in, out);

      case BlockMatMulOp matmul -> MixtureBindings.blockMatmul(pool, matmul, in, out.get(0));
      case BlockWeightGradientOp gradient ->
          MixtureBindings.blockWeightGradient(pool, gradient, in, out);
      case MixtureOp _ -> MixtureBindings.mixture(pool, in, out.get(0));
      case MixtureGradientOp _ -> MixtureBindings.mixtureGradient(pool, in, out);
      case MatVecOp _ -> MixtureBindings.matVec(pool, in, out.get(0));
      case OuterProductOp _ -> MixtureBindings.outerProduct(pool, in, out.get(0));
      case AttentionPoolingOp _ -> MixtureBindings.attentionPooling(pool, in, out);
      case AttentionPoolingGradientOp _ -> MixtureBindings.attentionPoolingGradient(pool, in, out);

      case GatherOp _ -> TableBindings.gather(pool, in, out.get(0));
      case EmbeddingConcatOp _ ->
          TableBindings.embeddingConcat(
              pool, in, out.get(0), argument(TableBindings.fieldBytes(in.size() - 1)));
      case SparseRowGradientOp gradient -> TableBindings.sparseRowGradient(pool, gradient, in, out);
      case SparseToDenseOp _ -> TableBindings.sparseToDense(pool, in, out.get(0));
      case ScatterRowsOp _ -> TableBindings.scatterRows(pool, in);
      case DropoutOp dropout -> ElementBindings.dropout(pool, dropout, in, out.get(0));
      case ClipFactorOp clip ->
          ElementBindings.clipFactor(pool, clip, in, out.get(0), argument(Double.BYTES));
      case AdamOp adam -> TableBindings.adam(pool, adam, in);
      case SparseAdamOp adam -> TableBindings.sparseAdam(pool, adam, in);

      case RmsNormOp norm -> RowBindings.rmsNorm(pool, norm, in, out.get(0));
      case RmsNormGradientOp gradient -> RowBindings.rmsNormGradient(pool, gradient, in, out);
      case LayerNormOp norm -> RowBindings.layerNorm(pool, norm, in, out.get(0));
      case LayerNormGradientOp gradient -> RowBindings.layerNormGradient(pool, gradient, in, out);
      case GroupedBatchNormOp norm -> RowBindings.batchNorm(pool, norm, in, out);
      case GroupedBatchNormGradientOp gradient ->
          RowBindings.batchNormGradient(pool, gradient, in, out);
      case SoftmaxOp _ -> RowBindings.softmax(pool, in.get(0), out.get(0));
      case SoftmaxGradientOp _ -> RowBindings.softmaxGradient(pool, in, out.get(0));
      case BceWithLogitsOp bce -> RowBindings.bce(pool, bce, in, out.get(0));
      case BceWithLogitsGradientOp bce -> RowBindings.bceGradient(pool, bce, in, out.get(0));

      case UnaryOp unary -> ElementBindings.unary(pool, unary, in.get(0), out.get(0));
      case UnaryGradientOp gradient ->
          ElementBindings.unaryGradient(pool, gradient, in, out.get(0));
      case BinaryOp binary ->
          ElementBindings.binary(pool, binary, in, out.get(0), extents(), extents());
      case SumToOp _ -> ElementBindings.sumTo(pool, in.get(0), out.get(0), extents(), extents());
      case ScaleOp scale -> ElementBindings.scale(pool, scale, in.get(0), out.get(0));
      case GluOp glu -> ElementBindings.glu(pool, glu, in, out.get(0));
      case GluGradientOp gradient -> ElementBindings.gluGradient(pool, gradient, in, out);
      case ConcatOp _ -> ElementBindings.concat(pool, in, out.get(0));
      case SliceOp slice -> ElementBindings.slice(pool, slice, in.get(0), out.get(0));
      case PadOp pad -> ElementBindings.pad(pool, pad, in.get(0), out.get(0));
      case TransposeOp _ -> ElementBindings.transpose(pool, in.get(0), out.get(0));
      case ReshapeOp _, StopGradientOp _ -> ElementBindings.reshape(pool, in.get(0), out.get(0));

      case GatheredMatMulOp gathered ->
          TableBindings.gatheredMatmul(pool, gathered.product(), in, out.get(0));
      case GatheredWeightGradientOp gathered ->
          TableBindings.gatheredWeightGradient(pool, gathered.gradient(), in, out);
      case DeferredAdamOp adam -> TableBindings.deferredAdam(pool, adam, in);
      case AdamCatchUpOp catchUp -> TableBindings.adamCatchUp(pool, catchUp, in);
      case FusedOp _ ->
          throw new UnsupportedOperationException("the cpu backend has no " + op.name());
    };
  }

  private Kernel matmul(MatMulOp op, List<Operand> in, Operand out) {
    MemorySegment panels = op.transposeA() ? null : frozen.panels(in.get(1), op.transposeB());
    return panels == null
        ? MatrixBindings.matmul(pool, op, in, out)
        : MatrixBindings.matmulPanels(pool, op, in, panels, out);
  }

  private MemorySegment extents() {
    return argument(ElementBindings.EXTENTS_BYTES);
  }

  private MemorySegment argument(long bytes) {
    HostBuffer buffer = HostBuffer.allocate(bytes, "arguments of a kernel");
    arguments.add(buffer);
    return buffer.segment();
  }

  @Override
  public void close() {
    pool.close();
    AllocationTracker.closed(poolEntry);
    arguments.forEach(HostBuffer::close);
    arguments.clear();
  }
}
