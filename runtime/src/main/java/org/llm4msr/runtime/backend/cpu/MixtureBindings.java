package org.llm4msr.runtime.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.llm4msr.bindings.cpu.Activation;
import org.llm4msr.bindings.cpu.Attention;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Matrices;
import org.llm4msr.bindings.cpu.StoredType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;

/** Experts: matmul on blocks of columns in place, and mixtures; also those that a query weighs. */
final class MixtureBindings {
  private MixtureBindings() {}

  static Kernel blockMatmul(CpuPool pool, BlockMatMulOp op, List<Operand> in, Operand out) {
    Operand x = in.get(0);
    Operand w = in.get(1);
    int groups = Math.toIntExact(w.dim(0));
    long inner = x.dim(1) / groups;
    long width = out.dim(1) / groups;
    MemorySegment[] from = blocks(x.segment(), groups, inner);
    MemorySegment[] weights = blocks(w.segment(), groups, inner * width);
    MemorySegment[] biases = op.hasBias() ? blocks(in.get(2).segment(), groups, width) : null;
    MemorySegment[] to = blocks(out.segment(), groups, width);
    Activation activation = MatrixBindings.activation(op.activation());
    return () -> {
      if (x.dim(0) == 0) {
        return;
      }
      for (int g = 0; g < groups; g++) {
        Matrices.matmul(
            pool,
            false,
            op.transposeW(),
            x.dim(0),
            width,
            inner,
            from[g],
            groups * inner,
            weights[g],
            op.transposeW() ? inner : width,
            StoredType.F32,
            biases == null ? null : biases[g],
            null,
            width,
            activation,
            to[g],
            groups * width);
      }
    };
  }

  static Kernel blockWeightGradient(
      CpuPool pool, BlockWeightGradientOp op, List<Operand> in, Operand out) {
    Operand x = in.get(0);
    Operand dy = in.get(1);
    int groups = Math.toIntExact(op.groups());
    long inner = x.dim(1) / groups;
    long width = dy.dim(1) / groups;
    MemorySegment[] left = blocks(x.segment(), groups, inner);
    MemorySegment[] right = blocks(dy.segment(), groups, width);
    MemorySegment[] to = blocks(out.segment(), groups, inner * width);
    return () -> {
      for (int g = 0; g < groups; g++) {
        boolean swap = op.transposeW();
        long m = swap ? width : inner;
        long n = swap ? inner : width;
        Matrices.matmul(
            pool,
            true,
            false,
            m,
            n,
            x.dim(0),
            swap ? right[g] : left[g],
            groups * m,
            swap ? left[g] : right[g],
            groups * n,
            StoredType.F32,
            null,
            null,
            n,
            Activation.NONE,
            to[g],
            n);
      }
    };
  }

  /** Where each block of {@code width} floats begins, up to the end of the memory. */
  private static MemorySegment[] blocks(MemorySegment memory, int groups, long width) {
    MemorySegment[] blocks = new MemorySegment[groups];
    for (int g = 0; g < groups; g++) {
      long offset = g * width * Float.BYTES;
      blocks[g] = memory.asSlice(Math.min(offset, memory.byteSize()));
    }
    return blocks;
  }

  static Kernel mixture(CpuPool pool, List<Operand> in, Operand out) {
    Operand gate = in.get(0);
    MemorySegment gateSegment = gate.segment();
    MemorySegment x = in.get(1).segment();
    MemorySegment y = out.segment();
    return () -> Matrices.mixture(pool, gate.dim(0), gate.dim(1), out.dim(1), gateSegment, x, y);
  }

  static Kernel mixtureGradient(CpuPool pool, List<Operand> in, List<Operand> out) {
    Operand gate = in.get(0);
    Operand dy = in.get(2);
    MemorySegment gateSegment = gate.segment();
    MemorySegment x = in.get(1).segment();
    MemorySegment dySegment = dy.segment();
    MemorySegment dgate = out.get(0).segment();
    MemorySegment dx = out.get(1).segment();
    return () ->
        Matrices.mixtureGradient(
            pool, gate.dim(0), gate.dim(1), dy.dim(1), gateSegment, x, dySegment, dgate, dx);
  }

  static Kernel attentionPooling(CpuPool pool, List<Operand> in, List<Operand> out) {
    Operand q = in.get(0);
    Operand present = in.get(2);
    MemorySegment query = q.segment();
    MemorySegment x = in.get(1).segment();
    MemorySegment there = present.segment();
    MemorySegment y = out.get(0).segment();
    MemorySegment weights = out.get(1).segment();
    return () ->
        Attention.pooling(pool, q.dim(0), present.dim(1), q.dim(1), query, x, there, y, weights);
  }

  static Kernel attentionPoolingGradient(CpuPool pool, List<Operand> in, List<Operand> out) {
    Operand q = in.get(0);
    Operand a = in.get(2);
    MemorySegment query = q.segment();
    MemorySegment x = in.get(1).segment();
    MemorySegment weights = a.segment();
    MemorySegment y = in.get(3).segment();
    MemorySegment dy = in.get(4).segment();
    MemorySegment dq = out.get(0).segment();
    MemorySegment dx = out.get(1).segment();
    return () ->
        Attention.poolingGradient(
            pool, q.dim(0), a.dim(1), q.dim(1), query, x, weights, y, dy, dq, dx);
  }
}
