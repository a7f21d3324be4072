package org.llm4msr.cuda;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.KernelSequence;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.portable.Device.Scratch;
import org.llm4msr.runtime.backend.portable.Faults;
import org.llm4msr.runtime.backend.portable.PortableOperators;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.Op;

/**
 * Products and attention on tensor cores, by kernels that only CUDA has (kernels/src/main/cuda):
 * products with weights in BF16, Q8_0 or Q4_0, attention that may be rounded. Activations are
 * rounded to BF16 for them; sums, epilogues and results are F32. Products with F32 weights stay
 * with the portable kernel, which rounds nothing.
 */
final class TensorCores implements AutoCloseable {
  // How the kernels are launched; their files say so.
  private static final int TILE = 128;
  private static final int MMA_THREADS = 256;
  private static final int MMA_SHARED_BYTES = 98_304;
  private static final int QUANTISED_SHARED_BYTES = 65_536;
  private static final int HOPPER_THREADS = 384;
  private static final int PERSISTENT_SHARED_BYTES = 131_136;
  private static final int ROUNDING_THREADS = 256;
  private static final int ATTENTION_THREADS = 128;

  /** Queries and keys of a tile. */
  private static final int ATTENTION_TILE = 64;

  private static final int RESULT_F32 = 0;

  /** BF16 elements in 16 bytes, which rows are multiples of where they are to be copied fast. */
  private static final int CHUNK = 8;

  private static final int BFLOAT16_BYTES = 2;

  private final CudaDevice device;
  private final CudaDevices.DeviceInfo info;
  // Loaded when a kernel is first bound; null for what this device has no code for.
  private final Map<String, KernelModule> modules = new HashMap<>();

  TensorCores(CudaDevice device, CudaDevices.DeviceInfo info) {
    this.device = device;
    this.info = info;
  }

  /** See {@link org.llm4msr.runtime.backend.portable.Device#own}. */
  Kernel bind(Op op, List<Operand> in, Operand out) {
    return switch (op) {
      case MatMulOp product when takes(product, in.get(1)) -> product(product, in, out);
      case AttentionOp attention when takes(attention, in) -> attention(attention, in, out);
      default -> null;
    };
  }

  private static boolean takes(MatMulOp op, Operand weights) {
    boolean linear = op.transposeB() && !op.transposeA();
    boolean fixed = weights.dim(0) >= 0 && weights.dim(1) >= 0;
    return linear
        && fixed
        && switch (weights.dtype()) {
          case BF16, Q8_0, Q4_0 -> true;
          default -> false;
        };
  }

  private static boolean takes(AttentionOp op, List<Operand> in) {
    // A cache is read where it lies rather than rounded as a whole for a few queries.
    boolean cached = in.size() == 6 && in.get(1).dim(0) >= 0;
    return op.rounded() && (op.headDim() == 64 || op.headDim() == 128) && !cached;
  }

  /** Queries, keys and values in F32 are rounded, the result is F32. */
  private Kernel attention(AttentionOp op, List<Operand> in, Operand out) {
    Operand q = in.get(0);
    Operand offsets = in.get(3);
    boolean other = in.size() == 6;
    long queryWidth = (long) op.heads() * op.headDim();
    long keyWidth = (long) op.kvHeads() * op.headDim();
    List<Kernel> kernels = new ArrayList<>();
    List<LongSupplier> addresses = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      Operand x = in.get(i);
      long width = i == 0 ? queryWidth : keyWidth;
      Scratch rounded = device.scratch(PortableOperators.OWN_SCRATCH + i);
      rounded.require(BFLOAT16_BYTES * Math.max(1, x.maxElements()));
      kernels.add(round(x, () -> x.dim(0), width, rounded, width));
      addresses.add(device.address(rounded));
    }
    LongSupplier sequences = () -> offsets.dim(0) - 1;
    Launch launch =
        device
            .launch(module("attention_mma"), "attention_" + op.headDim())
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
            .of(other ? in.get(4) : null)
            .of(other ? in.get(5) : null);
    // No prefix that lies apart.
    launch.l(0).l(0).i(0);
    kernels.add(
        launch
            .of(out)
            .i(RESULT_F32)
            .region(device.faultAddress(), Faults.BYTES)
            .bind(
                ATTENTION_THREADS,
                3 * ATTENTION_TILE * op.headDim() * BFLOAT16_BYTES,
                () -> q.dim(0) / ATTENTION_TILE + sequences.getAsLong(),
                op::heads));
    return KernelSequence.of(kernels)::run;
  }

  /** C = act(A W^T + bias + residual): A [M, K] and C [M, N] in F32, W [N, K]. */
  private Kernel product(MatMulOp op, List<Operand> in, Operand c) {
    Operand a = in.get(0);
    Operand w = in.get(1);
    long columns = w.dim(0);
    long inner = w.dim(1);
    long stride = Math.ceilDiv(inner, CHUNK) * CHUNK;
    long mostRows = inner == 0 ? 0 : a.maxElements() / inner;
    Scratch rounded = device.scratch(PortableOperators.OWN_SCRATCH);
    rounded.require(BFLOAT16_BYTES * Math.max(1, mostRows * stride));
    LongSupplier rows = () -> c.dim(0);
    Kernel round = round(a, rows, inner, rounded, stride);
    LongSupplier tiles = () -> Math.ceilDiv(rows.getAsLong(), TILE) * Math.ceilDiv(columns, TILE);
    LongSupplier left = device.address(rounded);
    Operand bias = op.hasBias() ? in.get(2) : null;
    Operand residual = op.hasResidual() ? in.getLast() : null;

    boolean mapped = inner % CHUNK == 0 && w.address() % 16 == 0;
    boolean some = mostRows > 0 && columns > 0;
    KernelModule persistent =
        w.dtype() == DType.BF16 && mapped && some ? module("matmul_persistent") : null;
    Kernel product;
    if (persistent != null) {
      long rowBytes = BFLOAT16_BYTES * inner;
      Launch launch = device.launch(persistent, "matmul_persistent");
      launch.map(left, mostRows, inner, rowBytes);
      // The second matrix of a gated product is not read; it needs a map all the same.
      launch.map(w::address, columns, inner, rowBytes).map(w::address, columns, inner, rowBytes);
      launch.i(rows).i(columns).i(inner).i(0);
      product =
          finish(launch, op, bias, residual, c, columns)
              .bind(
                  HOPPER_THREADS,
                  PERSISTENT_SHARED_BYTES,
                  () -> Math.min(info.multiprocessors(), tiles.getAsLong()));
    } else {
      String module = w.dtype() == DType.BF16 ? "matmul_mma" : "matmul_quantised";
      String kernel =
          switch (w.dtype()) {
            case Q8_0 -> "matmul_q8_0";
            case Q4_0 -> "matmul_q4_0";
            default -> "matmul_mma";
          };
      Launch launch = device.launch(module(module), kernel).i(rows).i(columns).i(inner);
      launch.l(left).l(stride).of(w).l(0);
      if (w.dtype() == DType.BF16) {
        launch.l(inner);
      }
      product =
          finish(launch, op, bias, residual, c, columns)
              .bind(
                  MMA_THREADS,
                  w.dtype() == DType.BF16 ? MMA_SHARED_BYTES : QUANTISED_SHARED_BYTES,
                  tiles);
    }
    return () -> {
      round.run();
      product.run();
    };
  }

  /** The arguments from the bias on. */
  private static Launch finish(
      Launch launch, MatMulOp op, Operand bias, Operand residual, Operand c, long columns) {
    return launch
        .of(bias)
        .of(residual)
        .l(columns)
        .i(PortableOperators.number(op.activation()))
        .i(RESULT_F32)
        .of(c)
        .l(columns);
  }

  /** Rounds rows of F32 to BF16, {@code stride} elements from row to row. */
  private Kernel round(Operand x, LongSupplier rows, long width, Scratch to, long stride) {
    long chunks = Math.ceilDiv(width, CHUNK);
    return device
        .launch(module("to_bf16"), "to_bf16")
        .l(rows)
        .l(width)
        .of(x)
        .l(width)
        .l(device.address(to))
        .l(stride)
        .bind(ROUNDING_THREADS, 0, () -> Math.ceilDiv(rows.getAsLong() * chunks, ROUNDING_THREADS));
  }

  private KernelModule module(String name) {
    if (!modules.containsKey(name)) {
      modules.put(
          name,
          name.equals("matmul_persistent")
              ? Modules.loadIfTaken(name, info)
              : Modules.load(name, info));
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
