package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.KernelSequence;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.portable.Faults;
import org.llm4msr.runtime.backend.portable.PortableOperators;
import org.llm4msr.runtime.backend.portable.PortableOperators.SortedLookups;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AddRmsNormOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;

/** Rows in one pass over memory, all in F32: the residual stream, lookups, a table's step. */
final class RowKernels {
  // How the kernels are launched; their files say so.
  private static final int THREADS = 256;

  /** Warps of a block, each of which has a row. */
  private static final int WARPS = 8;

  private static final int F32 = 0;

  /** Whose row and partial sums fit into the shared memory that every device has for a block. */
  private static final long MOST_WIDTH = 24_576;

  private static final int NORM_SUMS_BYTES = 32;
  private static final int ADAM_SHARED_BYTES = 1_088;

  /** MOST_TABLES in embedding_concat.cu, and the bytes of a Table. */
  private static final int MOST_TABLES = 64;

  private static final int TABLE_BYTES = 24;

  private final CudaDevice device;
  private final CudaKernels kernels;

  RowKernels(CudaDevice device, CudaKernels kernels) {
    this.device = device;
    this.kernels = kernels;
  }

  /** Whether rows of a norm's weight are short enough. */
  static boolean takes(ValueType weight) {
    return weight.dim(0).max() <= MOST_WIDTH;
  }

  Kernel addRmsNorm(AddRmsNormOp op, List<Operand> in, List<Operand> out) {
    Operand x = in.get(0);
    int width = Math.toIntExact(in.get(2).maxElements());
    return device
        .launch(kernels.module("rms_norm_residual"), "rms_norm_residual")
        .i(width)
        .f(op.epsilon())
        .of(in.get(1))
        .i(F32)
        .of(x)
        .i(F32)
        .of(out.get(1))
        .of(in.get(2))
        .of(out.get(0))
        .i(F32)
        .bind(THREADS, Float.BYTES * width + NORM_SUMS_BYTES, () -> width == 0 ? 0 : x.dim(0));
  }

  /** Null if a table's extents vary, or it is too large. */
  Kernel embeddingConcat(EmbeddingConcatOp op, List<Operand> in, Operand y) {
    Operand ids = in.get(0);
    List<Operand> tables = in.subList(1, in.size());
    for (Operand table : tables) {
      if (table.dtype() != DType.F32
          || table.dim(0) < 0
          || table.dim(1) < 0
          || table.dim(0) > Integer.MAX_VALUE
          || table.dim(1) > Integer.MAX_VALUE) {
        return null;
      }
    }
    List<Kernel> launches = new ArrayList<>();
    long at = 0;
    for (int first = 0; first < tables.size(); first += MOST_TABLES) {
      List<Operand> some = tables.subList(first, Math.min(tables.size(), first + MOST_TABLES));
      MemorySegment described = Arena.ofAuto().allocate(MOST_TABLES * TABLE_BYTES, Long.BYTES);
      for (int i = 0; i < some.size(); i++) {
        Operand table = some.get(i);
        device.requireMemory(table);
        MemorySegment one = described.asSlice((long) i * TABLE_BYTES, TABLE_BYTES);
        one.set(JAVA_LONG, 0, table.address());
        one.set(JAVA_INT, 8, Math.toIntExact(table.dim(0)));
        one.set(JAVA_INT, 12, Math.toIntExact(table.dim(1)));
        one.set(JAVA_LONG, 16, at);
        at += table.dim(1);
      }
      launches.add(
          device
              .launch(kernels.module("embedding_concat"), "embedding_concat", described.byteSize())
              .i(PortableOperators.idFault(device, op))
              .l(() -> ids.dim(0))
              .i(some.size())
              .struct(described)
              .of(ids)
              .l(tables.size())
              .l(first)
              .of(y)
              .l(() -> y.dim(1))
              .region(device.faultAddress(), Faults.BYTES)
              .bind(THREADS, 0, () -> Math.ceilDiv(ids.dim(0) * some.size(), WARPS)));
    }
    return KernelSequence.of(launches)::run;
  }

  Kernel sparseRowAdam(SparseRowAdamOp op, List<Operand> in) {
    Operand p = in.get(0);
    Operand dy = in.get(4);
    SparseRowGradientOp gradient = op.gradient();
    SparseAdamOp adam = op.adam();
    SortedLookups sorted = PortableOperators.sortedLookups(device, op, gradient, in.get(3));
    LongSupplier rows =
        adam.lazy()
            ? () -> Math.min(sorted.count().getAsLong(), gradient.vocabulary())
            : gradient::vocabulary;
    Kernel step =
        device
            .launch(kernels.module("segment_adam"), "segment_adam")
            .l(gradient.vocabulary())
            .l(gradient.width())
            .i(adam.lazy() ? 1 : 0)
            .f(adam.beta1())
            .f(1 - adam.beta1())
            .f(Math.log(adam.beta1()))
            .f(adam.beta2())
            .f(1 - adam.beta2())
            .f(Math.log(adam.beta2()))
            .f(adam.epsilon())
            .f(adam.weightDecay())
            .of(p)
            .of(in.get(1))
            .of(in.get(2))
            .l(sorted.count())
            .l(device.address(sorted.keys()))
            .l(device.address(sorted.rows()))
            .l(device.address(sorted.starts()))
            .l(device.address(sorted.total()))
            .of(dy)
            .l(() -> gradient.allColumns() ? gradient.width() : dy.dim(1))
            .l(gradient.offset())
            .of(in.get(5))
            .region(device.faultAddress(), Faults.BYTES)
            .bind(THREADS, ADAM_SHARED_BYTES, () -> Math.ceilDiv(rows.getAsLong(), WARPS));
    return KernelSequence.of(List.of(sorted.kernel(), step))::run;
  }
}
