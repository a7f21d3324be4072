package org.llm4msr.runtime.backend.portable;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.ClipFactorOp;
import org.llm4msr.runtime.op.SparseAdamOp;

/** Losses and optimisers: loss.kk, optim.kk, and the norm of gradients in reduce.kk. */
final class TrainingCalls {
  private TrainingCalls() {}

  static Kernel bce(Device device, boolean weighted, List<Operand> in, Operand loss) {
    return inputs(new Call(device, "bce"), weighted, in).of(loss).groups(() -> 1);
  }

  static Kernel bceGradient(Device device, boolean weighted, List<Operand> in, Operand dLogits) {
    return inputs(new Call(device, "bce_gradient"), weighted, in)
        .of(in.getLast())
        .of(dLogits)
        .items(() -> in.get(0).dim(0));
  }

  private static Call inputs(Call call, boolean weighted, List<Operand> in) {
    call.l(() -> in.get(0).dim(0)).flag(weighted).of(in.get(0)).of(in.get(1));
    return weighted ? call.of(in.get(2)) : call.nothing();
  }

  static Kernel clipFactor(Device device, ClipFactorOp op, List<Operand> in, Operand y) {
    Device.Scratch total = device.scratch(PortableOperators.PARTIAL_SUMS);
    List<Kernel> kernels = new ArrayList<>();
    kernels.add(new Call(device, "fill").l(1).f(0).of(total, Float.BYTES).items(() -> 1));
    for (int i = 0; i < in.size(); i++) {
      boolean counted = in.get(i).dtype() == DType.I32;
      Operand count = in.get(i);
      i += counted ? 1 : 0;
      Operand values = in.get(i);
      Call call =
          new Call(device, "add_squares")
              .l(values::elements)
              .flag(counted)
              .l(() -> counted ? values.dim(1) : 0);
      (counted ? call.of(count) : call.nothing()).of(values).of(total);
      kernels.add(call.groups(() -> 1));
    }
    kernels.add(new Call(device, "clip_factor").f(op.maxNorm()).of(total).of(y).items(() -> 1));
    return Call.sequence(kernels);
  }

  static Kernel adam(Device device, AdamOp op, List<Operand> in) {
    Operand p = in.get(0);
    Call call = new Call(device, "adam").l(p::elements);
    constants(call, op.beta1(), op.beta2(), op.epsilon(), op.weightDecay());
    in.forEach(call::of);
    return call.fault().items(p::elements);
  }

  static Kernel sparseAdam(Device device, SparseAdamOp op, List<Operand> in) {
    Operand p = in.get(0);
    Operand rows = in.get(3);
    Operand reached = op.lazy() ? rows : p;
    Call call =
        new Call(device, op.lazy() ? "lazy_adam" : "sparse_adam")
            .l(() -> reached.dim(0))
            .l(p.dim(1));
    constants(call, op.beta1(), op.beta2(), op.epsilon(), op.weightDecay());
    in.forEach(call::of);
    return Call.sequence(
        TableCalls.checkRows(device, op, rows, in.get(4), p::dim),
        call.fault().items(() -> reached.dim(0) * p.dim(1)));
  }

  private static void constants(
      Call call, double beta1, double beta2, double epsilon, double decay) {
    call.f(beta1).f(1 - beta1).f(Math.log(beta1));
    call.f(beta2).f(1 - beta2).f(Math.log(beta2));
    call.f(epsilon).f(decay);
  }
}
