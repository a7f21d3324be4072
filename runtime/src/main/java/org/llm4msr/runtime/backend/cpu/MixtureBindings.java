package org.llm4msr.runtime.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.llm4msr.bindings.cpu.Activation;
import org.llm4msr.bindings.cpu.Attention;
import org.llm4msr.bindings.cpu.Blocks;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Mixtures;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;

/**
 * Experts: products of blocks of columns, and mixtures; products with a matrix of each row's own;
 * blocks that a query weighs.
 */
final class MixtureBindings {
  private MixtureBindings() {}

  static Kernel blockMatmul(CpuPool pool, BlockMatMulOp op, List<Operand> in, Operand out) {
    Operand x = in.get(0);
    Operand w = in.get(1);
    long groups = w.dim(0);
    long inner = x.dim(1) / groups;
    long width = out.dim(1) / groups;
    MemorySegment xSegment = x.segment();
    MemorySegment wSegment = w.segment();
    MemorySegment bias = op.hasBias() ? in.get(2).segment() : null;
    MemorySegment gate = op.gated() ? in.getLast().segment() : null;
    MemorySegment y = out.segment();
    Activation activation = MatrixBindings.activation(op.activation());
    return () ->
        Blocks.matmul(
            pool,
            x.dim(0),
            width,
            inner,
            groups,
            xSegment,
            wSegment,
            op.transposeW(),
            bias,
            activation,
            gate,
            y);
  }

  static Kernel blockWeightGradient(
      CpuPool pool, BlockWeightGradientOp op, List<Operand> in, List<Operand> out) {
    Operand x = in.get(0);
    Operand dy = in.get(1);
    long groups = op.groups();
    long inner = x.dim(1) / groups;
    long width = dy.dim(1) / groups;
    MemorySegment xSegment = x.segment();
    MemorySegment dySegment = dy.segment();
    MemorySegment dw = out.get(0).segment();
    MemorySegment db = op.withBias() ? out.get(1).segment() : null;
    return () ->
        Blocks.weightGradient(
            pool, x.dim(0), width, inner, groups, xSegment, dySegment, op.transposeW(), dw, db);
  }

  /** One kernel call for each of x's parts, all of which add to the first one's result. */
  static Kernel mixture(CpuPool pool, List<Operand> in, Operand out) {
    Operand gate = in.getFirst();
    long blocks = gate.dim(1);
    long width = out.dim(1);
    MemorySegment[] x = segments(in.subList(1, in.size()));
    long[] counts = counts(in.subList(1, in.size()), width);
    MemorySegment[] gates = columns(gate.segment(), counts);
    MemorySegment y = out.segment();
    return () -> {
      long rows = gate.dim(0);
      for (int i = 0; rows > 0 && i < x.length; i++) {
        Mixtures.mixture(pool, rows, counts[i], width, gates[i], blocks, x[i], i > 0, y);
      }
    };
  }

  static Kernel mixtureGradient(CpuPool pool, List<Operand> in, List<Operand> out) {
    Operand gate = in.getFirst();
    Operand dy = in.getLast();
    long blocks = gate.dim(1);
    long width = dy.dim(1);
    List<Operand> parts = in.subList(1, in.size() - 1);
    MemorySegment[] x = segments(parts);
    MemorySegment[] dx = segments(out.subList(1, out.size()));
    long[] counts = counts(parts, width);
    MemorySegment[] gates = columns(gate.segment(), counts);
    MemorySegment[] dgates = columns(out.getFirst().segment(), counts);
    MemorySegment dySegment = dy.segment();
    return () -> {
      long rows = gate.dim(0);
      for (int i = 0; rows > 0 && i < x.length; i++) {
        Mixtures.gradient(
            pool, rows, counts[i], width, gates[i], blocks, x[i], dySegment, dgates[i], dx[i]);
      }
    };
  }

  private static MemorySegment[] segments(List<Operand> operands) {
    return operands.stream().map(Operand::segment).toArray(MemorySegment[]::new);
  }

  /** How many blocks each part has. */
  private static long[] counts(List<Operand> parts, long width) {
    return parts.stream().mapToLong(part -> part.dim(1) / Math.max(1, width)).toArray();
  }

  /** A matrix from the first column of each part on. */
  private static MemorySegment[] columns(MemorySegment matrix, long[] counts) {
    MemorySegment[] columns = new MemorySegment[counts.length];
    long column = 0;
    for (int i = 0; i < counts.length; i++) {
      columns[i] = matrix.asSlice(column * Float.BYTES);
      column += counts[i];
    }
    return columns;
  }

  static Kernel matVec(CpuPool pool, List<Operand> in, Operand out) {
    Operand v = in.get(1);
    MemorySegment matrices = in.get(0).segment();
    MemorySegment vectors = v.segment();
    MemorySegment y = out.segment();
    return () -> Mixtures.matVec(pool, v.dim(0), out.dim(1), v.dim(1), matrices, vectors, y);
  }

  static Kernel outerProduct(CpuPool pool, List<Operand> in, Operand out) {
    Operand a = in.get(0);
    Operand b = in.get(1);
    MemorySegment aSegment = a.segment();
    MemorySegment bSegment = b.segment();
    MemorySegment y = out.segment();
    return () -> Mixtures.outerProduct(pool, a.dim(0), a.dim(1), b.dim(1), aSegment, bSegment, y);
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
