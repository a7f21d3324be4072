package org.llm4msr.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.KernelSequence;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.portable.Device.Scratch;
import org.llm4msr.runtime.backend.portable.Faults;
import org.llm4msr.runtime.backend.portable.PortableOperators;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.GatedMatMulOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MatMulsOp;
import org.llm4msr.runtime.op.RowAttentionOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * Products and attention on tensor cores: products with weights in BF16, Q8_0 or Q4_0, attention
 * that may be rounded. Activations are rounded to BF16 for them, once for all products of one left
 * operand; sums, epilogues and results are F32. Products with F32 weights stay with the portable
 * kernel, which rounds nothing.
 */
final class TensorCores {
  // How the kernels are launched; their files say so.
  private static final int QUANTISED_SHARED_BYTES = 65_536;
  private static final int ROUNDING_THREADS = 256;
  private static final int ATTENTION_THREADS = 128;

  /** Queries and keys of a tile. */
  private static final int ATTENTION_TILE = 64;

  private static final int RESULT_F32 = 0;

  /** BF16 elements in 16 bytes, which rows are multiples of where they are to be copied fast. */
  private static final int CHUNK = 8;

  private static final int BFLOAT16_BYTES = 2;

  /** The rungs with F32 results that are for Hopper. */
  private static final List<MatmulRung> HOPPER =
      List.of(MatmulRung.PERSISTENT, MatmulRung.MULTICAST, MatmulRung.WIDE);

  private final CudaDevice device;
  private final CudaKernels kernels;
  private final int multiprocessors;

  TensorCores(CudaDevice device, CudaKernels kernels, int multiprocessors) {
    this.device = device;
    this.kernels = kernels;
    this.multiprocessors = multiprocessors;
  }

  private static boolean takes(DType weights) {
    return switch (weights) {
      case BF16, Q8_0, Q4_0 -> true;
      default -> false;
    };
  }

  /** Whether products by a matrix [N, K] are made here. */
  static boolean takes(ValueType weights) {
    return takes(weights.dtype()) && weights.dims().stream().noneMatch(dim -> dim.isSymbol());
  }

  /** Whether all of them are made here. */
  static boolean takes(MatMulsOp op, List<ValueType> in) {
    for (int i = 0; i < op.products().size(); i++) {
      if (!isLinear(op.products().get(i)) || !takes(op.inputs(i, in).get(1))) {
        return false;
      }
    }
    return true;
  }

  private static boolean isLinear(MatMulOp op) {
    return op.transposeB() && !op.transposeA();
  }

  private static boolean takes(AttentionOp op) {
    return op.rounded() && (op.headDim() == 64 || op.headDim() == 128);
  }

  /** Null where weights are of other types, or vary in extent. */
  Kernel matMul(MatMulOp op, List<Operand> in, Operand c) {
    Operand w = in.get(1);
    if (!isLinear(op) || !takes(w.dtype()) || w.dim(0) < 0 || w.dim(1) < 0) {
      return null;
    }
    Rounded a = round(in.get(0), w.dim(1), c);
    return KernelSequence.of(List.of(a.kernel, product(a, Product.of(op, in, c))))::run;
  }

  Kernel matMuls(MatMulsOp op, List<Operand> in, List<Operand> out) {
    Rounded a = round(in.get(0), in.get(1).dim(1), out.get(0));
    List<Kernel> parts = new ArrayList<>(List.of(a.kernel));
    for (int i = 0; i < out.size(); i++) {
      parts.add(product(a, Product.of(op.products().get(i), op.inputs(i, in), out.get(i))));
    }
    return KernelSequence.of(parts)::run;
  }

  Kernel gatedMatMul(GatedMatMulOp op, List<Operand> in, Operand c) {
    Rounded a = round(in.get(0), in.get(1).dim(1), c);
    Product product = new Product(in.get(1), in.get(2), null, null, op.activation(), c);
    return KernelSequence.of(List.of(a.kernel, product(a, product)))::run;
  }

  /**
   * C = act(A W^T + bias + residual), or act(A W^T) * (A up^T): C [M, N] in F32, W and up [N, K].
   *
   * @param up or null
   */
  private record Product(
      Operand w, Operand up, Operand bias, Operand residual, UnaryOp.Kind activation, Operand c) {
    static Product of(MatMulOp op, List<Operand> in, Operand c) {
      Operand bias = op.hasBias() ? in.get(2) : null;
      Operand residual = op.hasResidual() ? in.getLast() : null;
      return new Product(in.get(1), null, bias, residual, op.activation(), c);
    }

    long columns() {
      return w.dim(0);
    }

    boolean gated() {
      return up != null;
    }

    boolean startsAtChunks() {
      return w.address() % 16 == 0 && (up == null || up.address() % 16 == 0);
    }
  }

  /**
   * A left operand [M, K] as BF16.
   *
   * @param kernel that rounds it, in every run before the products
   * @param stride elements from row to row
   */
  private record Rounded(
      Kernel kernel,
      LongSupplier address,
      LongSupplier rows,
      long mostRows,
      long inner,
      long stride) {}

  private Rounded round(Operand a, long inner, Operand c) {
    long stride = Math.ceilDiv(inner, CHUNK) * CHUNK;
    long mostRows = inner == 0 ? 0 : a.maxElements() / inner;
    Scratch rounded = device.scratch(PortableOperators.OWN_SCRATCH);
    rounded.require(BFLOAT16_BYTES * Math.max(1, mostRows * stride));
    LongSupplier rows = () -> c.dim(0);
    Kernel kernel = round(a, rows, inner, rounded, stride);
    return new Rounded(kernel, device.address(rounded), rows, mostRows, inner, stride);
  }

  private Kernel product(Rounded a, Product x) {
    if (x.w.dtype() != DType.BF16) {
      return quantised(a, x);
    }
    boolean some = a.mostRows > 0 && x.columns() > 0;
    boolean mapped = a.inner % CHUNK == 0 && x.startsAtChunks() && some;
    boolean hopper =
        mapped && HOPPER.stream().allMatch(rung -> kernels.moduleIfTaken(name(rung)) != null);
    if (!hopper) {
      return mma(a, x);
    }
    Kernel[] rungs = new Kernel[MatmulRung.values().length];
    for (MatmulRung rung : HOPPER) {
      rungs[rung.ordinal()] = hopper(rung, a, x);
    }
    return () -> {
      long m = a.rows.getAsLong();
      if (m > 0) {
        MatmulRung rung =
            MatmulRung.of(m, x.columns(), a.inner, x.gated(), false, true, true, multiprocessors);
        rungs[rung.ordinal()].run();
      }
    };
  }

  private static String name(MatmulRung rung) {
    return switch (rung) {
      case MMA -> "matmul_mma";
      case PERSISTENT -> "matmul_persistent";
      case TMA_STORE -> "matmul_tma_store";
      case MULTICAST -> "matmul_multicast";
      case WIDE -> "matmul_wide";
    };
  }

  private LongSupplier blocks(MatmulRung rung, Rounded a, Product x) {
    return () -> rung.blocks(a.rows.getAsLong(), x.columns(), x.gated(), multiprocessors);
  }

  private Kernel hopper(MatmulRung rung, Rounded a, Product x) {
    long rowBytes = BFLOAT16_BYTES * a.inner;
    Operand up = x.gated() ? x.up : x.w;
    Launch launch = device.launch(kernels.moduleIfTaken(name(rung)), name(rung));
    launch.map(a.address, a.mostRows, a.inner, rowBytes);
    launch.map(x.w::address, x.columns(), a.inner, rowBytes);
    launch.map(up::address, x.columns(), a.inner, rowBytes);
    if (rung != MatmulRung.PERSISTENT) {
      // That of BF16 results, which is not read; there must be one all the same.
      launch.map(x.w::address, x.columns(), a.inner, rowBytes);
    }
    launch.i(a.rows).i(x.columns()).i(a.inner).i(x.gated() ? 1 : 0);
    return finish(launch, x).bind(rung.threads, rung.sharedBytes, blocks(rung, a, x));
  }

  private Kernel mma(Rounded a, Product x) {
    MatmulRung rung = MatmulRung.MMA;
    Launch launch = device.launch(kernels.module(name(rung)), name(rung));
    launch.i(a.rows).i(x.columns()).i(a.inner).l(a.address).l(a.stride);
    launch.of(x.w).of(x.up).l(a.inner);
    return finish(launch, x).bind(rung.threads, rung.sharedBytes, blocks(rung, a, x));
  }

  private Kernel quantised(Rounded a, Product x) {
    String kernel = x.w.dtype() == DType.Q8_0 ? "matmul_q8_0" : "matmul_q4_0";
    Launch launch = device.launch(kernels.module("matmul_quantised"), kernel);
    launch.i(a.rows).i(x.columns()).i(a.inner).l(a.address).l(a.stride).of(x.w).of(x.up);
    MatmulRung as = MatmulRung.MMA;
    return finish(launch, x).bind(as.threads, QUANTISED_SHARED_BYTES, blocks(as, a, x));
  }

  /** The arguments from the bias on. */
  private static Launch finish(Launch launch, Product x) {
    return launch
        .of(x.bias)
        .of(x.residual)
        .l(x.columns())
        .i(PortableOperators.number(x.activation))
        .i(RESULT_F32)
        .of(x.c)
        .l(x.columns());
  }

  /** Null for other heads, where nothing may be rounded, and for a cache. */
  Kernel attention(AttentionOp op, List<Operand> in, Operand out) {
    boolean other = in.size() == 6;
    // A cache is read where it lies rather than rounded as a whole for a few queries.
    boolean cached = other && in.get(1).dim(0) >= 0;
    return takes(op) && !cached
        ? attention(
            op, in, null, in.get(3), other ? in.get(4) : null, other ? in.get(5) : null, out)
        : null;
  }

  /** Null for other heads, and where nothing may be rounded. */
  Kernel rowAttention(RowAttentionOp op, List<Operand> in, Operand out) {
    return takes(op.attention())
        ? attention(op.attention(), in, in.get(3), in.get(4), in.get(5), in.get(6), out)
        : null;
  }

  /**
   * Queries, keys and values in F32 are rounded, the result is F32.
   *
   * @param in begins with them
   * @param rows of the keys, or null
   * @param begins and ends, or null
   */
  private Kernel attention(
      AttentionOp op,
      List<Operand> in,
      Operand rows,
      Operand offsets,
      Operand begins,
      Operand ends,
      Operand out) {
    Operand q = in.get(0);
    long queryWidth = (long) op.heads() * op.headDim();
    long keyWidth = (long) op.kvHeads() * op.headDim();
    List<Kernel> parts = new ArrayList<>();
    List<LongSupplier> addresses = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      Operand x = in.get(i);
      long width = i == 0 ? queryWidth : keyWidth;
      Scratch rounded = device.scratch(PortableOperators.OWN_SCRATCH + i);
      rounded.require(BFLOAT16_BYTES * Math.max(1, x.maxElements()));
      parts.add(round(x, () -> x.dim(0), width, rounded, width));
      addresses.add(device.address(rounded));
    }
    LongSupplier sequences = () -> offsets.dim(0) - 1;
    parts.add(
        device
            .launch(kernels.module("attention_mma"), "attention_" + op.headDim())
            .i(sequences)
            .i(op.heads())
            .i(op.kvHeads())
            .f(op.scale())
            .i(op.mask().before())
            .i(op.mask().after())
            .f(op.mask().softCap())
            .l(addresses.get(0))
            .l(queryWidth)
            .l(addresses.get(1))
            .l(addresses.get(2))
            .l(keyWidth)
            .of(offsets)
            .of(begins)
            .of(ends)
            .of(rows)
            .of(out)
            .i(RESULT_F32)
            .region(device.faultAddress(), Faults.BYTES)
            .bind(
                ATTENTION_THREADS,
                3 * ATTENTION_TILE * op.headDim() * BFLOAT16_BYTES,
                () -> q.dim(0) / ATTENTION_TILE + sequences.getAsLong(),
                op::heads));
    return KernelSequence.of(parts)::run;
  }

  /** Rounds rows of F32 to BF16, {@code stride} elements from row to row. */
  private Kernel round(Operand x, LongSupplier rows, long width, Scratch to, long stride) {
    long chunks = Math.ceilDiv(width, CHUNK);
    return device
        .launch(kernels.module("to_bf16"), "to_bf16")
        .l(rows)
        .l(width)
        .of(x)
        .l(width)
        .l(device.address(to))
        .l(stride)
        .bind(ROUNDING_THREADS, 0, () -> Math.ceilDiv(rows.getAsLong() * chunks, ROUNDING_THREADS));
  }
}
