package org.llm4msr.runtime.backend.reference;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.KernelSequence;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.AddRmsNormOp;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.GatedMatMulOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.GatheredMatMulOp;
import org.llm4msr.runtime.op.GatheredWeightGradientOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.MatMulsOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.RmsNormOp;
import org.llm4msr.runtime.op.RowAttentionOp;
import org.llm4msr.runtime.op.SparseRowAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;

/** What a fused operator is specified as: its parts, one after the other. */
final class FusedKernels {
  private final Backend backend;
  private final List<Kernel> kernels = new ArrayList<>();

  private FusedKernels(Backend backend) {
    this.backend = backend;
  }

  static Kernel bind(Backend backend, FusedOp op, List<Operand> in, List<Operand> out) {
    FusedKernels parts = new FusedKernels(backend);
    switch (op) {
      case GatedMatMulOp gated -> parts.gatedMatMul(gated, in, out.get(0));
      case MatMulsOp products -> {
        for (int i = 0; i < products.products().size(); i++) {
          parts.add(products.products().get(i), products.inputs(i, in), out.get(i));
        }
      }
      case AddRmsNormOp norm -> {
        parts.add(new BinaryOp(BinaryOp.Kind.ADD), in.subList(0, 2), out.get(1));
        parts.add(new RmsNormOp(norm.epsilon()), List.of(out.get(1), in.get(2)), out.get(0));
      }
      case RowAttentionOp attention -> parts.rowAttention(attention, in, out.get(0));
      case SparseRowAdamOp adam -> parts.sparseRowAdam(adam, in);
      case DeferredAdamOp adam -> parts.kernels.add(DeferredAdamKernels.step(adam, in));
      case AdamCatchUpOp catchUp -> parts.kernels.add(DeferredAdamKernels.catchUp(catchUp, in));
      case GatheredMatMulOp gathered ->
          parts.add(gathered.product(), parts.gathered(in), out.get(0));
      case GatheredWeightGradientOp gathered ->
          parts.add(gathered.gradient(), parts.gathered(in), out.toArray(Operand[]::new));
    }
    KernelSequence sequence = KernelSequence.of(parts.kernels);
    return () -> {
      try {
        sequence.run();
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException(op.name() + ": " + e.getMessage(), e);
      }
    };
  }

  private void add(Op op, List<Operand> in, Operand... out) {
    kernels.add(backend.kernel(op, in, List.of(out)));
  }

  private void gatedMatMul(GatedMatMulOp op, List<Operand> in, Operand y) {
    Operand gate = new Between(y.dtype(), y.maxElements(), () -> y.dim(0), () -> y.dim(1));
    Operand up = new Between(y.dtype(), y.maxElements(), () -> y.dim(0), () -> y.dim(1));
    add(GatedMatMulOp.PRODUCT, List.of(in.get(0), in.get(1)), gate);
    add(GatedMatMulOp.PRODUCT, List.of(in.get(0), in.get(2)), up);
    add(new GluOp(op.activation()), List.of(gate, up), y);
  }

  private void rowAttention(RowAttentionOp op, List<Operand> in, Operand y) {
    List<Operand> gathered = new ArrayList<>();
    gathered.add(in.get(0));
    for (Operand table : in.subList(1, 3)) {
      long width = (long) op.attention().kvHeads() * op.attention().headDim();
      gathered.add(gather(table, in.get(3), width));
    }
    gathered.addAll(in.subList(4, 7));
    add(op.attention(), gathered, y);
  }

  /** Rows of a table. */
  private Operand gather(Operand table, Operand ids, long width) {
    Operand rows =
        new Between(table.dtype(), ids.maxElements() * width, () -> ids.dim(0), () -> width);
    add(new GatherOp(table.dtype()), List.of(table, ids), rows);
    return rows;
  }

  /** The operands of what reads rows of a table: these rows in place of table and ids. */
  private List<Operand> gathered(List<Operand> in) {
    List<Operand> operands = new ArrayList<>();
    operands.add(gather(in.get(0), in.get(1), in.get(0).dim(1)));
    operands.addAll(in.subList(2, in.size()));
    return operands;
  }

  private void sparseRowAdam(SparseRowAdamOp op, List<Operand> in) {
    SparseRowGradientOp gradient = op.gradient();
    Operand ids = in.get(3);
    long most = Math.min(ids.maxElements(), gradient.vocabulary());
    Operand rows = new Between(DType.I32, most, () -> most);
    Operand count = new Between(DType.I32, 1, () -> 1);
    Operand values =
        new Between(in.get(4).dtype(), most * gradient.width(), () -> most, gradient::width);
    add(gradient, in.subList(3, 5), rows, count, values);
    List<Operand> step = new ArrayList<>(in.subList(0, 3));
    step.addAll(List.of(rows, count, values, in.get(5)));
    add(op.adam(), step);
  }

  /** A value between two parts. */
  private static final class Between implements Operand {
    private final DType dtype;
    private final long maxElements;
    private final LongSupplier[] dims;
    // As long-lived as the kernels that use it.
    private final MemorySegment segment;

    private Between(DType dtype, long maxElements, LongSupplier... dims) {
      this.dtype = dtype;
      this.maxElements = maxElements;
      this.dims = dims;
      segment = Arena.ofAuto().allocate(dtype.byteSize(maxElements), Long.BYTES);
    }

    @Override
    public DType dtype() {
      return dtype;
    }

    @Override
    public int rank() {
      return dims.length;
    }

    @Override
    public long dim(int axis) {
      return dims[axis].getAsLong();
    }

    @Override
    public long elements() {
      long elements = 1;
      for (LongSupplier dim : dims) {
        elements *= dim.getAsLong();
      }
      return elements;
    }

    @Override
    public long maxElements() {
      return maxElements;
    }

    @Override
    public MemorySegment segment() {
      return segment;
    }

    @Override
    public long address() {
      return segment.address();
    }
  }
}
