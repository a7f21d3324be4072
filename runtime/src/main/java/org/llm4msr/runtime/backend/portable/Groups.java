package org.llm4msr.runtime.backend.portable;

import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.Op;

/** Rows sorted by group: the operands that say so, and the kernel that checks them in every run. */
final class Groups {
  private final Device device;
  private final Op op;
  private final Operand rows;
  private final Operand order;
  private final Operand offsets;
  private final Operand perGroup;

  /**
   * @param rows has one row for each element of order
   * @param perGroup has one row for each group
   */
  Groups(Device device, Op op, Operand rows, Operand order, Operand offsets, Operand perGroup) {
    this.device = device;
    this.op = op;
    this.rows = rows;
    this.order = order;
    this.offsets = offsets;
    this.perGroup = perGroup;
  }

  long count() {
    return perGroup.dim(0);
  }

  long maxCount() {
    return offsets.maxElements() - 1;
  }

  /** Adds order and offsets to a call. */
  Call add(Call call) {
    return call.of(order).of(offsets);
  }

  Call addOrder(Call call) {
    return call.of(order);
  }

  Call addOffsets(Call call) {
    return call.of(offsets);
  }

  Kernel check() {
    Kernel check =
        new Call(device, "check_groups")
            .i(device.faults(op.name(), "a row number in order", "a boundary in offsets"))
            .l(() -> rows.dim(0))
            .l(this::count)
            .i(1)
            .of(order)
            .of(offsets)
            .fault()
            .items(() -> Math.max(rows.dim(0), count() + 1));
    return () -> {
      if (order.dim(0) != rows.dim(0) || offsets.dim(0) != count() + 1) {
        throw new IllegalArgumentException(
            op.name()
                + ": order ["
                + order.dim(0)
                + "] and offsets ["
                + offsets.dim(0)
                + "] do not fit "
                + rows.dim(0)
                + " rows in "
                + count()
                + " groups");
      }
      check.run();
    };
  }
}
