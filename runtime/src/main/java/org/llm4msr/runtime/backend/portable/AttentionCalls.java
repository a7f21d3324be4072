package org.llm4msr.runtime.backend.portable;

import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AttentionGradientOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.RopeOp;

/** Rotary positions and packed attention: rope.kk, attention.kk, attention_gradient.kk. */
final class AttentionCalls {
  /** Widest head; MOST_HEAD in attention.kk. */
  private static final int MOST_HEAD = 512;

  private AttentionCalls() {}

  static Kernel rope(Device device, RopeOp op, List<Operand> in, Operand y) {
    Operand x = in.get(0);
    int pairs = op.rotaryDims() / 2;
    return new Call(device, "rope")
        .l(() -> x.dim(0))
        .i(op.heads())
        .i(op.headDim())
        .i(pairs)
        .flag(op.interleaved())
        .f(op.scale())
        .flag(op.inverse())
        .of(x)
        .of(in.get(1))
        .of(in.get(2))
        .of(y)
        .items(() -> x.dim(0) * op.heads() * (op.headDim() - pairs));
  }

  static Kernel attention(Device device, AttentionOp op, List<Operand> in, Operand out) {
    Operand q = in.get(0);
    Operand offsets = in.get(3);
    boolean other = in.size() == 6;
    Kernel own = device.own(op, in, out);
    Kernel attention = own != null ? own : portable(device, op, in, out);
    Kernel check = checkOffsets(device, op, q, offsets);
    if (!other) {
      return Call.sequence(check, attention);
    }
    Operand keys = in.get(1);
    Kernel checkKeys =
        new Call(device, "check_keys")
            .i(device.faults(op.name(), "the keys of a sequence", "the keys of a sequence"))
            .l(() -> offsets.dim(0) - 1)
            .l(() -> keys.dim(0))
            .of(offsets)
            .of(in.get(4))
            .of(in.get(5))
            .fault()
            .items(() -> offsets.dim(0) - 1);
    return Call.sequence(check, checkKeys, attention);
  }

  private static Kernel portable(Device device, AttentionOp op, List<Operand> in, Operand out) {
    Operand q = in.get(0);
    boolean other = in.size() == 6;
    Call call = shape(new Call(device, "attention"), op, op, in.get(3)).flag(other);
    in.subList(0, 4).forEach(call::of);
    if (other) {
      call.of(in.get(4)).of(in.get(5));
    } else {
      call.nothing().nothing();
    }
    return call.of(out).fault().groups(() -> q.dim(0) * op.heads());
  }

  private static Call shape(Call call, Op op, AttentionOp forward, Operand offsets) {
    if (forward.headDim() > MOST_HEAD) {
      throw new UnsupportedOperationException(
          op.name() + " with heads of " + forward.headDim() + ", more than " + MOST_HEAD);
    }
    return call.i(forward.heads())
        .i(forward.kvHeads())
        .i(forward.headDim())
        .f(forward.scale())
        .i(forward.mask().before())
        .i(forward.mask().after())
        .f(forward.mask().softCap())
        .i(() -> offsets.dim(0) - 1);
  }

  private static Kernel checkOffsets(Device device, Op op, Operand q, Operand offsets) {
    Kernel check =
        new Call(device, "check_groups")
            .i(device.faults(op.name(), "a boundary in offsets", "a boundary in offsets"))
            .l(() -> q.dim(0))
            .l(() -> offsets.dim(0) - 1)
            .i(0)
            .nothing()
            .of(offsets)
            .fault()
            .items(() -> offsets.dim(0));
    return () -> {
      if (offsets.dim(0) < 1) {
        throw new IllegalArgumentException(
            op.name() + ": offsets are empty, expected at least [0]");
      }
      check.run();
    };
  }

  static Kernel gradient(
      Device device, AttentionGradientOp op, List<Operand> in, List<Operand> out) {
    AttentionOp forward = op.forward();
    Operand q = in.get(0);
    Operand offsets = in.get(3);
    Device.Scratch statistics = device.scratch(PortableOperators.ROW_STATISTICS);
    statistics.require(3 * Float.BYTES * (q.maxElements() / forward.headDim()));
    Call queries = shape(new Call(device, "attention_query_gradient"), op, forward, offsets);
    Call keys = shape(new Call(device, "attention_key_gradient"), op, forward, offsets);
    in.forEach(queries::of);
    in.forEach(keys::of);
    return Call.sequence(
        checkOffsets(device, op, q, offsets),
        queries.of(out.get(0)).of(statistics).fault().groups(() -> q.dim(0) * forward.heads()),
        keys.of(statistics)
            .of(out.get(1))
            .of(out.get(2))
            .fault()
            .groups(() -> q.dim(0) * forward.kvHeads()));
  }
}
