package org.llm4msr.runtime.backend.portable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.PadOp;
import org.llm4msr.runtime.op.SliceOp;
import org.llm4msr.runtime.op.SumToOp;

/** Operators that move elements, and sums over axes: layout.kk and reduce.kk. */
final class LayoutCalls {
  /** Columns that one group sums; COLUMNS in kk.h. */
  static final int COLUMNS = 16;

  /** Rows that one group sums, before the sums of groups are summed. */
  static final int SLICE = 512;

  private LayoutCalls() {}

  static Kernel concat(Device device, List<Operand> in, Operand y) {
    List<Kernel> kernels = new ArrayList<>();
    long at = 0;
    for (Operand x : in) {
      kernels.add(copyColumns(device, x, 0, y, at, x.dim(1)));
      at += x.dim(1);
    }
    return Call.sequence(kernels);
  }

  static Kernel slice(Device device, SliceOp op, Operand x, Operand y) {
    return copyColumns(device, x, op.from(), y, 0, op.to() - op.from());
  }

  private static Kernel copyColumns(
      Device device, Operand from, long fromAt, Operand to, long toAt, long width) {
    return new Call(device, "copy_columns")
        .l(() -> to.dim(0))
        .l(width)
        .of(from)
        .l(from.dim(1))
        .l(fromAt)
        .of(to)
        .l(to.dim(1))
        .l(toAt)
        .items(() -> to.dim(0) * width);
  }

  static Kernel pad(Device device, PadOp op, Operand x, Operand y) {
    return new Call(device, "pad_columns")
        .l(() -> y.dim(0))
        .l(y.dim(1))
        .of(x)
        .l(x.dim(1))
        .l(op.from())
        .of(y)
        .items(y::elements);
  }

  static Kernel transpose(Device device, Operand x, Operand y) {
    return new Call(device, "transpose")
        .l(() -> x.dim(0))
        .l(() -> x.dim(1))
        .l(() -> x.dim(2))
        .of(x)
        .of(y)
        .items(x::elements);
  }

  /** A plan gives input and output the same memory; otherwise this copies. */
  static Kernel reshape(Device device, Operand x, Operand y) {
    return x.address() == y.address()
        ? () -> {}
        : new Call(device, "unary").l(x::elements).i(0).of(x).of(y).items(x::elements);
  }

  static Kernel zero(Device device, Operand y) {
    return new Call(device, "fill").l(y::elements).f(0).of(y).items(y::elements);
  }

  static Kernel sumTo(Device device, SumToOp op, Operand x, Operand y) {
    if (x.rank() > 4) {
      throw new UnsupportedOperationException(op.name() + " over more than 4 axes");
    }
    Call general = new Call(device, "sum_to");
    for (int axis = 0; axis < 4; axis++) {
      int own = axis;
      general.l(() -> ElementCalls.extent(x, own));
    }
    for (int axis = 0; axis < 4; axis++) {
      int own = axis;
      general.i(() -> ElementCalls.extent(y, own) == ElementCalls.extent(x, own) ? 1 : 0);
    }
    Kernel any = general.of(x).of(y).groups(y::elements);
    if (x.rank() == 2 && y.rank() == 1) {
      Kernel columns = columnSums(device, x, y);
      return () -> (y.dim(0) == x.dim(1) ? columns : any).run();
    }
    return any;
  }

  /** y [width] becomes the sum of the rows of x [rows, width]. */
  static Kernel columnSums(Device device, Operand x, Operand y) {
    return inSlices(
        device,
        x,
        y,
        () -> new Call(device, "column_sums").l(() -> rows(x, y)).l(y::elements).l(SLICE).of(x));
  }

  private static long rows(Operand x, Operand y) {
    return y.elements() == 0 ? 0 : x.elements() / y.elements();
  }

  /**
   * Sums rows to y, which has one element for each column: first by slices of the rows, then, if
   * there are several, the slices.
   *
   * @param summing a kernel that sums the slices of {@link #SLICE} rows, up to where its result
   *     goes
   */
  static Kernel inSlices(Device device, Operand x, Operand y, Supplier<Call> summing) {
    long mostRows = Math.max(1, x.maxElements() / Math.max(1, y.maxElements()));
    long mostSlices = Math.ceilDiv(mostRows, SLICE);
    if (mostSlices == 1) {
      return summing.get().of(y).groups(() -> blocks(y));
    }
    Device.Scratch partial = device.scratch(PortableOperators.PARTIAL_SUMS);
    Kernel slices =
        summing
            .get()
            .of(partial, Float.BYTES * mostSlices * y.maxElements())
            .groups(() -> slices(x, y) * blocks(y));
    Kernel rest =
        new Call(device, "column_sums")
            .l(() -> slices(x, y))
            .l(y::elements)
            .l(mostSlices)
            .of(partial)
            .of(y)
            .groups(() -> blocks(y));
    return Call.sequence(slices, rest);
  }

  private static long slices(Operand x, Operand y) {
    return Math.ceilDiv(rows(x, y), SLICE);
  }

  private static long blocks(Operand y) {
    return Math.ceilDiv(y.elements(), COLUMNS);
  }
}
