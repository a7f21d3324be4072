package org.llm4msr.cuda;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.AddRmsNormOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.GatedMatMulOp;
import org.llm4msr.runtime.op.GatheredMatMulOp;
import org.llm4msr.runtime.op.GatheredWeightGradientOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MatMulsOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.RowAttentionOp;
import org.llm4msr.runtime.op.SparseRowAdamOp;

/** The kernels that only CUDA has (kernels/src/main/cuda), for the operators that they fit. */
final class CudaKernels implements AutoCloseable {
  private final CudaDevices.DeviceInfo info;
  private final TensorCores tensorCores;
  private final RowKernels rows;
  // Loaded when a kernel is first bound; null for what this device has no code for.
  private final Map<String, KernelModule> modules = new HashMap<>();

  CudaKernels(CudaDevice device, CudaDevices.DeviceInfo info) {
    this.info = info;
    tensorCores = new TensorCores(device, this, info.multiprocessors());
    rows = new RowKernels(device, this);
  }

  /** See {@link org.llm4msr.runtime.backend.Backend#fuses}. */
  static boolean fuses(FusedOp op, List<ValueType> in) {
    return switch (op) {
      case GatedMatMulOp _ -> TensorCores.takes(in.get(1));
      case MatMulsOp products -> TensorCores.takes(products, in);
      case AddRmsNormOp _ -> RowKernels.takes(in.get(2));
      case RowAttentionOp _, SparseRowAdamOp _ -> true;
      case GatheredMatMulOp _, GatheredWeightGradientOp _, DeferredAdamOp _, AdamCatchUpOp _ ->
          false;
    };
  }

  /** See {@link org.llm4msr.runtime.backend.portable.Device#own}. */
  Kernel bind(Op op, List<Operand> in, List<Operand> out) {
    return switch (op) {
      case MatMulOp product -> tensorCores.matMul(product, in, out.get(0));
      case GatedMatMulOp gated -> tensorCores.gatedMatMul(gated, in, out.get(0));
      case MatMulsOp products -> tensorCores.matMuls(products, in, out);
      case AttentionOp attention -> tensorCores.attention(attention, in, out.get(0));
      case RowAttentionOp attention -> tensorCores.rowAttention(attention, in, out.get(0));
      case AddRmsNormOp norm -> rows.addRmsNorm(norm, in, out);
      case EmbeddingConcatOp concat -> rows.embeddingConcat(concat, in, out.get(0));
      case SparseRowAdamOp adam -> rows.sparseRowAdam(adam, in);
      default -> null;
    };
  }

  KernelModule module(String name) {
    if (modules.get(name) == null) {
      modules.put(name, Modules.load(name, info));
    }
    return modules.get(name);
  }

  /** A module that only some devices have, or null. */
  KernelModule moduleIfTaken(String name) {
    if (!modules.containsKey(name)) {
      modules.put(name, Modules.loadIfTaken(name, info));
    }
    return modules.get(name);
  }

  @Override
  public void close() {
    for (KernelModule module : modules.values()) {
      if (module != null) {
        module.close();
      }
    }
    modules.clear();
  }
}
