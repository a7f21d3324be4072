package org.llm4msr.runtime.backend.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.llm4msr.bindings.cpu.Activation;
import org.llm4msr.bindings.cpu.Attention;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Int8Blocks;
import org.llm4msr.bindings.cpu.Int8Panels;
import org.llm4msr.bindings.cpu.Matrices;
import org.llm4msr.bindings.cpu.Panels;
import org.llm4msr.bindings.cpu.StoredType;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.BlockInt8MatMulOp;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.GroupedSumOp;
import org.llm4msr.runtime.op.GroupedWeightGradientOp;
import org.llm4msr.runtime.op.Int8MatMulOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.RopeOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Products and attention. Memory is looked up once; a run reads extents and calls. */
final class MatrixBindings {
  private MatrixBindings() {}

  static Activation activation(UnaryOp.Kind kind) {
    if (kind == null) {
      return Activation.NONE;
    }
    return switch (kind) {
      case RELU -> Activation.RELU;
      case SIGMOID -> Activation.SIGMOID;
      case TANH -> Activation.TANH;
      case SILU -> Activation.SILU;
      case GELU -> Activation.GELU;
      case GELU_TANH -> Activation.GELU_TANH;
    };
  }

  static StoredType storedType(DType dtype) {
    return switch (dtype) {
      case F32 -> StoredType.F32;
      case BF16 -> StoredType.BF16;
      case F16 -> StoredType.F16;
      case Q8_0 -> StoredType.Q8_0;
      case Q4_0 -> StoredType.Q4_0;
      case Q4_1 -> StoredType.Q4_1;
      case Q5_0 -> StoredType.Q5_0;
      case Q5_1 -> StoredType.Q5_1;
      case Q2_K -> StoredType.Q2_K;
      case Q3_K -> StoredType.Q3_K;
      case Q4_K -> StoredType.Q4_K;
      case Q5_K -> StoredType.Q5_K;
      case Q6_K -> StoredType.Q6_K;
      case IQ4_NL -> StoredType.IQ4_NL;
      case IQ4_XS -> StoredType.IQ4_XS;
      case F64, I32, I64, U8 -> throw new IllegalArgumentException("not a stored type: " + dtype);
    };
  }

  /** Offsets are one more than groups; where either is a symbol only a run can tell. */
  static void checkGroups(Op op, Operand offsets, long groups) {
    if (offsets.dim(0) != groups + 1) {
      throw new IllegalArgumentException(
          op.name() + ": offsets [" + offsets.dim(0) + "] do not fit " + groups + " groups");
    }
  }

  static Kernel matmul(CpuPool pool, MatMulOp op, List<Operand> in, Operand out) {
    Operand a = in.get(0);
    Operand b = in.get(1);
    MemorySegment aSegment = a.segment();
    MemorySegment bSegment = b.segment();
    MemorySegment bias = op.hasBias() ? in.get(2).segment() : null;
    MemorySegment residual = op.hasResidual() ? in.get(in.size() - 1).segment() : null;
    MemorySegment c = out.segment();
    StoredType type = storedType(b.dtype());
    Activation activation = activation(op.activation());
    return () -> {
      long m = out.dim(0);
      long n = out.dim(1);
      long k = a.dim(op.transposeA() ? 0 : 1);
      Matrices.matmul(
          pool,
          op.transposeA(),
          op.transposeB(),
          m,
          n,
          k,
          aSegment,
          a.dim(1),
          bSegment,
          b.dim(1),
          type,
          bias,
          residual,
          n,
          activation,
          c,
          n);
    };
  }

  /** {@link #matmul} with B as {@link FrozenMatrices} packed it, A not transposed. */
  static Kernel matmulPanels(
      CpuPool pool, MatMulOp op, List<Operand> in, MemorySegment panels, Operand out) {
    Operand a = in.get(0);
    MemorySegment aSegment = a.segment();
    StoredType type = storedType(in.get(1).dtype());
    MemorySegment bias = op.hasBias() ? in.get(2).segment() : null;
    MemorySegment residual = op.hasResidual() ? in.get(in.size() - 1).segment() : null;
    MemorySegment c = out.segment();
    Activation activation = activation(op.activation());
    return () -> {
      long m = out.dim(0);
      long n = out.dim(1);
      long k = a.dim(1);
      Panels.matmul(pool, m, n, k, aSegment, k, panels, type, bias, residual, n, activation, c, n);
    };
  }

  /** Packs B {@code [k, n]}. */
  private interface Packing {
    MemorySegment pack(long n, long k, Arena arena);
  }

  /** Multiplies with packed B. */
  private interface PackedProduct {
    void multiply(long m, long n, long k, MemorySegment panels);
  }

  /**
   * @param kept B packed once where it is frozen; null packs it in every run
   */
  private static Kernel packed(
      MemorySegment kept, Operand a, Operand out, Packing packing, PackedProduct product) {
    return () -> {
      long m = out.dim(0);
      long n = out.dim(1);
      long k = a.dim(1);
      if (kept != null) {
        product.multiply(m, n, k, kept);
        return;
      }
      try (Arena arena = Arena.ofConfined()) {
        product.multiply(m, n, k, packing.pack(n, k, arena));
      }
    };
  }

  static Kernel int8Matmul(
      CpuPool pool, Int8MatMulOp op, List<Operand> in, FrozenMatrices frozen, Operand out) {
    Operand a = in.get(0);
    Operand b = in.get(1);
    MemorySegment x = a.segment();
    MemorySegment w = b.segment();
    StoredType type = storedType(b.dtype());
    MemorySegment bias = op.hasBias() ? in.get(2).segment() : null;
    MemorySegment residual = op.hasResidual() ? in.get(in.size() - 1).segment() : null;
    MemorySegment c = out.segment();
    Activation act = activation(op.activation());
    return packed(
        frozen.int8Panels(b, op.transposeB()),
        a,
        out,
        (n, k, arena) -> {
          MemorySegment panels = arena.allocate(Int8Panels.bytes(n, k), 64);
          Int8Panels.pack(pool, op.transposeB(), n, k, w, b.dim(1), type, panels);
          return panels;
        },
        (m, n, k, panels) ->
            Int8Panels.matmul(pool, m, n, k, x, k, panels, bias, residual, n, act, c, n));
  }

  static Kernel blockInt8Matmul(
      CpuPool pool, BlockInt8MatMulOp op, List<Operand> in, FrozenMatrices frozen, Operand out) {
    Operand a = in.get(0);
    Operand b = in.get(1);
    MemorySegment x = a.segment();
    MemorySegment w = b.segment();
    StoredType type = storedType(b.dtype());
    MemorySegment bias = op.hasBias() ? in.get(2).segment() : null;
    MemorySegment residual = op.hasResidual() ? in.get(in.size() - 1).segment() : null;
    MemorySegment c = out.segment();
    Activation act = activation(op.activation());
    return packed(
        frozen.int8Blocks(b),
        a,
        out,
        (n, k, arena) -> {
          MemorySegment panels = arena.allocate(Int8Blocks.bytes(n, k, type), 64);
          Int8Blocks.pack(pool, n, k, w, k, type, panels);
          return panels;
        },
        (m, n, k, panels) ->
            Int8Blocks.matmul(pool, m, n, k, x, k, panels, type, bias, residual, n, act, c, n));
  }

  static Kernel groupedMatmul(CpuPool pool, GroupedMatMulOp op, List<Operand> in, Operand out) {
    Operand x = in.get(0);
    Operand w = in.get(1);
    Operand offsets = in.get(3);
    MemorySegment xSegment = x.segment();
    MemorySegment wSegment = w.segment();
    MemorySegment orderSegment = in.get(2).segment();
    MemorySegment offsetsSegment = offsets.segment();
    MemorySegment bias = op.hasBias() ? in.get(4).segment() : null;
    MemorySegment y = out.segment();
    Activation activation = activation(op.activation());
    return () -> {
      checkGroups(op, offsets, w.dim(0));
      Matrices.groupedMatmul(
          pool,
          x.dim(0),
          out.dim(1),
          x.dim(1),
          w.dim(0),
          xSegment,
          wSegment,
          op.transposeW(),
          orderSegment,
          offsetsSegment,
          bias,
          activation,
          y);
    };
  }

  static Kernel groupedWeightGradient(
      CpuPool pool, GroupedWeightGradientOp op, List<Operand> in, Operand out) {
    Operand x = in.get(0);
    Operand dy = in.get(1);
    Operand offsets = in.get(3);
    MemorySegment xSegment = x.segment();
    MemorySegment dySegment = dy.segment();
    MemorySegment orderSegment = in.get(2).segment();
    MemorySegment offsetsSegment = offsets.segment();
    MemorySegment dw = out.segment();
    return () -> {
      checkGroups(op, offsets, out.dim(0));
      Matrices.groupedWeightGradient(
          pool,
          x.dim(0),
          dy.dim(1),
          x.dim(1),
          out.dim(0),
          xSegment,
          dySegment,
          orderSegment,
          offsetsSegment,
          op.transposeW(),
          dw);
    };
  }

  static Kernel groupedSum(CpuPool pool, GroupedSumOp op, List<Operand> in, Operand out) {
    Operand x = in.get(0);
    Operand offsets = in.get(2);
    MemorySegment xSegment = x.segment();
    MemorySegment orderSegment = in.get(1).segment();
    MemorySegment offsetsSegment = offsets.segment();
    MemorySegment sums = out.segment();
    return () -> {
      checkGroups(op, offsets, out.dim(0));
      Matrices.groupedSum(
          pool,
          x.dim(0),
          x.dim(1),
          out.dim(0),
          xSegment,
          orderSegment,
          offsetsSegment,
          op.mean(),
          sums);
    };
  }

  static Kernel rope(CpuPool pool, RopeOp op, List<Operand> in, Operand out) {
    Operand x = in.get(0);
    MemorySegment xSegment = x.segment();
    MemorySegment positions = in.get(1).segment();
    MemorySegment frequencies = in.get(2).segment();
    MemorySegment y = out.segment();
    return () ->
        Attention.rope(
            pool,
            x.dim(0),
            op.heads(),
            op.headDim(),
            op.rotaryDims(),
            op.interleaved(),
            op.inverse(),
            op.scale(),
            xSegment,
            positions,
            frequencies,
            y);
  }

  private static Attention.Mask mask(AttentionOp op) {
    return new Attention.Mask(op.mask().before(), op.mask().after(), op.mask().softCap());
  }

  static Kernel attention(CpuPool pool, AttentionOp op, List<Operand> in, Operand out) {
    Operand q = in.get(0);
    Operand k = in.get(1);
    Operand offsets = in.get(3);
    boolean ownKeys = in.size() == 4;
    MemorySegment qSegment = q.segment();
    MemorySegment kSegment = k.segment();
    MemorySegment v = in.get(2).segment();
    MemorySegment offsetsSegment = offsets.segment();
    MemorySegment keyBegins = ownKeys ? offsetsSegment : in.get(4).segment();
    MemorySegment keyEnds = ownKeys ? offsetsSegment.asSlice(Integer.BYTES) : in.get(5).segment();
    MemorySegment y = out.segment();
    Attention.Mask mask = mask(op);
    return () -> {
      if (!ownKeys) {
        checkGroups(op, offsets, in.get(4).dim(0));
      }
      Attention.attention(
          pool,
          q.dim(0),
          k.dim(0),
          offsets.dim(0) - 1,
          op.heads(),
          op.kvHeads(),
          op.headDim(),
          op.scale(),
          mask,
          qSegment,
          kSegment,
          v,
          offsetsSegment,
          keyBegins,
          keyEnds,
          y);
    };
  }

  static Kernel attentionGradient(
      CpuPool pool, AttentionOp op, List<Operand> in, List<Operand> out) {
    Operand q = in.get(0);
    Operand offsets = in.get(3);
    MemorySegment qSegment = q.segment();
    MemorySegment k = in.get(1).segment();
    MemorySegment v = in.get(2).segment();
    MemorySegment offsetsSegment = offsets.segment();
    MemorySegment dout = in.get(4).segment();
    MemorySegment dq = out.get(0).segment();
    MemorySegment dk = out.get(1).segment();
    MemorySegment dv = out.get(2).segment();
    Attention.Mask mask = mask(op);
    return () ->
        Attention.attentionGradient(
            pool,
            q.dim(0),
            offsets.dim(0) - 1,
            op.heads(),
            op.kvHeads(),
            op.headDim(),
            op.scale(),
            mask,
            qSegment,
            k,
            v,
            offsetsSegment,
            dout,
            dq,
            dk,
            dv);
  }
}
