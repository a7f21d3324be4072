package org.llm4msr.runtime.backend.portable;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;

/** Mixtures of a row's own blocks, and lists that a query attends to: mixture.kk. */
final class MixtureCalls {
  private MixtureCalls() {}

  static Kernel mixture(Device device, List<Operand> in, Operand y) {
    Operand gate = in.get(0);
    long width = y.dim(1);
    List<Kernel> kernels = new ArrayList<>();
    long first = 0;
    for (Operand x : in.subList(1, in.size())) {
      kernels.add(
          part(new Call(device, "mixture"), gate, x, y, first)
              .flag(first > 0)
              .of(gate)
              .of(x)
              .of(y)
              .items(y::elements));
      first += blocks(x, width);
    }
    return Call.sequence(kernels);
  }

  static Kernel mixtureGradient(Device device, List<Operand> in, List<Operand> out) {
    Operand gate = in.getFirst();
    Operand dy = in.getLast();
    long width = dy.dim(1);
    List<Kernel> kernels = new ArrayList<>();
    long first = 0;
    for (int part = 1; part < out.size(); part++) {
      Operand x = in.get(part);
      long blocks = blocks(x, width);
      kernels.add(
          part(new Call(device, "mat_vec"), gate, x, dy, first)
              .of(x)
              .of(dy)
              .of(out.get(0))
              .items(() -> dy.dim(0) * blocks));
      kernels.add(
          part(new Call(device, "outer_product"), gate, x, dy, first)
              .of(gate)
              .of(dy)
              .of(out.get(part))
              .items(x::elements));
      first += blocks;
    }
    return Call.sequence(kernels);
  }

  /** What the gradient by a mixture's gate is, too. */
  static Kernel matVec(Device device, List<Operand> in, Operand y) {
    Operand v = in.get(1);
    return new Call(device, "mat_vec")
        .l(() -> v.dim(0))
        .l(v.dim(1))
        .i(y.dim(1))
        .i(0)
        .i(y.dim(1))
        .of(in.get(0))
        .of(v)
        .of(y)
        .items(y::elements);
  }

  /** What the gradient by a mixture's blocks is, too. */
  static Kernel outerProduct(Device device, List<Operand> in, Operand y) {
    Operand a = in.get(0);
    Operand b = in.get(1);
    return new Call(device, "outer_product")
        .l(() -> a.dim(0))
        .l(b.dim(1))
        .i(a.dim(1))
        .i(0)
        .i(a.dim(1))
        .of(a)
        .of(b)
        .of(y)
        .items(y::elements);
  }

  private static Call part(Call call, Operand gate, Operand x, Operand mixed, long first) {
    return call.l(() -> mixed.dim(0))
        .l(mixed.dim(1))
        .i(gate.dim(1))
        .i(first)
        .i(blocks(x, mixed.dim(1)));
  }

  private static long blocks(Operand x, long width) {
    return width == 0 ? 0 : x.dim(1) / width;
  }

  static Kernel attentionPooling(Device device, List<Operand> in, List<Operand> out) {
    Call call = lists(new Call(device, "attention_pooling"), in);
    return call.of(out.get(0)).of(out.get(1)).groups(() -> in.get(0).dim(0));
  }

  static Kernel attentionPoolingGradient(Device device, List<Operand> in, List<Operand> out) {
    Call call = lists(new Call(device, "attention_pooling_gradient"), in);
    return call.of(out.get(0)).of(out.get(1)).groups(() -> in.get(0).dim(0));
  }

  private static Call lists(Call call, List<Operand> in) {
    call.i(in.get(2).dim(1)).i(in.get(0).dim(1));
    in.forEach(call::of);
    return call;
  }
}
