package org.llm4msr.runtime.backend.portable;

import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AttentionGradientOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.RopeOp;
import org.llm4msr.runtime.op.RowAttentionOp;

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

  static Kernel attention(Device device, AttentionOp op, List<Operand> in, List<Operand> out) {
    Operand q = in.get(0);
    Operand offsets = in.get(3);
    Operand begins = in.size() == 6 ? in.get(4) : null;
    Operand ends = begins == null ? null : in.get(5);
    Kernel own = device.own(op, in, out);
    Kernel attention =
        own != null ? own : portable(device, op, op, in, null, offsets, begins, ends, out.get(0));
    Kernel check = checkOffsets(device, op, q, offsets);
    return begins == null
        ? Call.sequence(check, attention)
        : Call.sequence(check, checkKeys(device, op, in.get(1), offsets, begins, ends), attention);
  }

  static Kernel rowAttention(
      Device device, RowAttentionOp op, List<Operand> in, List<Operand> out) {
    Operand keys = in.get(1);
    Operand rows = in.get(3);
    Operand offsets = in.get(4);
    Operand begins = in.get(5);
    Operand ends = in.get(6);
    Kernel checkRows =
        new Call(device, "check_ids")
            .i(device.faults(op.name(), "the row of a key", "the row of a key"))
            .l(() -> rows.dim(0))
            .l(() -> keys.dim(0))
            .of(rows)
            .fault()
            .items(() -> rows.dim(0));
    Kernel own = device.own(op, in, out);
    return Call.sequence(
        checkOffsets(device, op, in.get(0), offsets),
        checkRows,
        checkKeys(device, op, rows, offsets, begins, ends),
        own != null
            ? own
            : portable(device, op, op.attention(), in, rows, offsets, begins, ends, out.get(0)));
  }

  /**
   * @param keys has a row for each key
   */
  private static Kernel checkKeys(
      Device device, Op op, Operand keys, Operand offsets, Operand begins, Operand ends) {
    return new Call(device, "check_keys")
        .i(device.faults(op.name(), "the keys of a sequence", "the keys of a sequence"))
        .l(() -> offsets.dim(0) - 1)
        .l(() -> keys.dim(0))
        .of(offsets)
        .of(begins)
        .of(ends)
        .fault()
        .items(() -> offsets.dim(0) - 1);
  }

  /**
   * @param rows of the keys, or null if they lie in order
   * @param begins and ends of a sequence's keys, or null if they are its own
   */
  private static Kernel portable(
      Device device,
      Op op,
      AttentionOp attention,
      List<Operand> in,
      Operand rows,
      Operand offsets,
      Operand begins,
      Operand ends,
      Operand out) {
    Operand q = in.get(0);
    Call call =
        shape(new Call(device, "attention"), op, attention, offsets)
            .flag(begins != null)
            .flag(rows != null);
    in.subList(0, 3).forEach(call::of);
    call.ofOrNothing(rows).of(offsets).ofOrNothing(begins).ofOrNothing(ends);
    return call.of(out).fault().groups(() -> q.dim(0) * attention.heads());
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
