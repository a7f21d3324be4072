package org.llm4msr.runtime.backend.portable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntToLongFunction;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.portable.PortableOperators.SortedLookups;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.ScatterRowsOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.SparseToDenseOp;

/** Tables and the gradients of lookups: lookup.kk and sparse.kk. */
final class TableCalls {
  /** Keys that are sorted in local memory; SORT_BLOCK in sparse.kk. */
  private static final long SORT_BLOCK = 512;

  private static final String ID = "an id";

  private TableCalls() {}

  /** The type's number in lookup.kk. */
  private static int number(DType type) {
    return switch (type) {
      case F32 -> 0;
      case BF16 -> 1;
      case F16 -> 2;
      case Q8_0 -> 3;
      case Q4_0 -> 4;
      case Q4_1 -> 5;
      case Q5_0 -> 6;
      case Q5_1 -> 7;
      case Q2_K -> 8;
      case Q3_K -> 9;
      case Q4_K -> 10;
      case Q5_K -> 11;
      case Q6_K -> 12;
      case IQ4_NL -> 13;
      case IQ4_XS -> 14;
      case F64, I32, I64, U8 -> throw new IllegalArgumentException("tables in " + type);
    };
  }

  /** Adds a type's number, block size and bytes. */
  static Call type(Call call, DType type) {
    return call.i(number(type)).i(type.blockSize()).i(type.blockBytes());
  }

  static Kernel gather(Device device, GatherOp op, List<Operand> in, Operand y) {
    return lookup(device, op, in.get(0), in.get(1), 1, 0, y, 0);
  }

  static Kernel embeddingConcat(Device device, Op op, List<Operand> in, Operand y) {
    Operand ids = in.get(0);
    List<Kernel> kernels = new ArrayList<>();
    long at = 0;
    for (int field = 0; field + 1 < in.size(); field++) {
      Operand table = in.get(field + 1);
      kernels.add(lookup(device, op, table, ids, ids.dim(1), field, y, at));
      at += table.dim(1);
    }
    return Call.sequence(kernels);
  }

  private static Kernel lookup(
      Device device, Op op, Operand table, Operand ids, long stride, long at, Operand y, long yAt) {
    long width = table.dim(1);
    Call call =
        new Call(device, "gather")
            .i(idFault(device, op))
            .l(() -> ids.dim(0))
            .l(width)
            .l(() -> table.dim(0));
    return type(call, table.dtype())
        .of(table)
        .of(ids)
        .l(stride)
        .l(at)
        .of(y)
        .l(y.dim(1))
        .l(yAt)
        .fault()
        .items(() -> ids.dim(0) * width);
  }

  static Kernel scatterRows(Device device, ScatterRowsOp op, List<Operand> in) {
    Operand table = in.get(0);
    Operand ids = in.get(1);
    return new Call(device, "scatter_rows")
        .i(idFault(device, op))
        .l(() -> ids.dim(0))
        .l(table.dim(1))
        .l(() -> table.dim(0))
        .of(ids)
        .of(in.get(2))
        .of(table)
        .fault()
        .items(() -> table.dim(1));
  }

  /** Checks that rows are as many as counted and ascend within a table. */
  static Kernel checkRows(
      Device device, Op op, Operand rows, Operand count, IntToLongFunction tableDim) {
    return new Call(device, "check_rows")
        .i(device.faults(op.name(), "a listed row", "the count of rows"))
        .l(() -> rows.dim(0))
        .l(() -> tableDim.applyAsLong(0))
        .of(rows)
        .of(count)
        .fault()
        .items(() -> Math.max(1, rows.dim(0)));
  }

  static Kernel sparseToDense(Device device, SparseToDenseOp op, List<Operand> in, Operand y) {
    Operand rows = in.get(0);
    return Call.sequence(
        checkRows(device, op, rows, in.get(1), y::dim),
        LayoutCalls.zero(device, y),
        new Call(device, "scatter_listed")
            .l(() -> rows.dim(0))
            .l(y.dim(1))
            .of(rows)
            .of(in.get(1))
            .of(in.get(2))
            .of(y)
            .fault()
            .items(() -> rows.dim(0) * y.dim(1)));
  }

  static int idFault(Device device, Op op) {
    return device.faults(op.name(), ID, ID);
  }

  static Kernel sparseRowGradient(
      Device device, SparseRowGradientOp op, List<Operand> in, List<Operand> out) {
    Operand dy = in.get(1);
    Operand rows = out.get(0);
    Operand total = out.get(1);
    Lookups lookups = lookups(op, in.get(0));
    List<Kernel> kernels =
        sorted(device, op, op, in.get(0), call -> call.of(rows), call -> call.of(total));
    kernels.add(
        new Call(device, "sum_rows")
            .l(lookups::count)
            .l(op.width())
            .of(device.scratch(PortableOperators.SORT_KEYS))
            .of(device.scratch(PortableOperators.PARTIAL_SUMS))
            .of(total)
            .of(dy)
            .l(op.allColumns() ? op.width() : dy.dim(1))
            .l(op.offset())
            .of(out.get(2))
            .fault()
            .groups(() ->
                Math.min(lookups.count(), op.vocabulary())
                    * Math.ceilDiv(op.width(), LayoutCalls.COLUMNS)));
    return Call.sequence(kernels);
  }

  static SortedLookups sortedLookups(
      Device device, Op op, SparseRowGradientOp gradient, Operand ids) {
    long mostRows = Math.min(mostLookups(gradient, ids), gradient.vocabulary());
    Device.Scratch rows = device.scratch(PortableOperators.LISTED_ROWS);
    Device.Scratch total = device.scratch(PortableOperators.LISTED_COUNT);
    rows.require(Integer.BYTES * Math.max(1, mostRows));
    total.require(Integer.BYTES);
    List<Kernel> kernels =
        sorted(device, op, gradient, ids, call -> call.of(rows), call -> call.of(total));
    return new SortedLookups(
        Call.sequence(kernels),
        lookups(gradient, ids)::count,
        mostRows,
        device.scratch(PortableOperators.SORT_KEYS),
        rows,
        device.scratch(PortableOperators.PARTIAL_SUMS),
        total);
  }

  private static long mostLookups(SparseRowGradientOp op, Operand ids) {
    boolean each = op.allColumns() || ids.rank() == 1;
    return each ? ids.maxElements() : ids.maxElements() / ids.dim(1);
  }

  private static Lookups lookups(SparseRowGradientOp op, Operand ids) {
    return op.allColumns() ? ids::elements : () -> ids.dim(0);
  }

  /**
   * Sorts lookups into SORT_KEYS, lists the distinct ids, and where each begins in PARTIAL_SUMS.
   */
  private static List<Kernel> sorted(
      Device device,
      Op op,
      SparseRowGradientOp gradient,
      Operand ids,
      Consumer<Call> rows,
      Consumer<Call> total) {
    boolean all = gradient.allColumns();
    long mostLookups = mostLookups(gradient, ids);
    long mostPadded = padded(mostLookups);
    Device.Scratch keys = device.scratch(PortableOperators.SORT_KEYS);
    Device.Scratch counts = device.scratch(PortableOperators.ROW_STATISTICS);
    Device.Scratch starts = device.scratch(PortableOperators.PARTIAL_SUMS);
    keys.require(Long.BYTES * mostPadded);
    counts.require(Integer.BYTES * (mostPadded / SORT_BLOCK));
    starts.require(Integer.BYTES * Math.max(1, mostLookups));
    Lookups lookups = lookups(gradient, ids);
    List<Kernel> kernels = new ArrayList<>();
    kernels.add(
        new Call(device, "sort_keys")
            .i(idFault(device, op))
            .l(lookups::count)
            .l(lookups::padded)
            .l(gradient.vocabulary())
            .of(ids)
            .l(all || ids.rank() == 1 ? 1 : ids.dim(1))
            .l(all ? 0 : gradient.column())
            .of(keys)
            .fault()
            .items(lookups::padded));
    kernels.addAll(sort(device, keys, lookups, mostPadded));
    kernels.add(
        new Call(device, "count_rows")
            .l(lookups::count)
            .of(keys)
            .of(counts)
            .groups(lookups::blocks));
    Call scan = new Call(device, "scan_counts").l(lookups::blocks).of(counts);
    total.accept(scan);
    kernels.add(scan.groups(() -> 1));
    Call list = new Call(device, "list_rows").l(lookups::count).of(keys).of(counts);
    rows.accept(list);
    kernels.add(list.of(starts).groups(lookups::blocks));
    return kernels;
  }

  /** How many lookups a run has. */
  @FunctionalInterface
  private interface Lookups {
    long count();

    default long padded() {
      return TableCalls.padded(count());
    }

    default long blocks() {
      return padded() / SORT_BLOCK;
    }
  }

  /** The next power of two, of at least one block. */
  private static long padded(long count) {
    return count <= SORT_BLOCK ? SORT_BLOCK : Long.highestOneBit(count - 1) << 1;
  }

  /** Bitonic sort; spans that a run does not reach are not launched. */
  private static List<Kernel> sort(
      Device device, Device.Scratch keys, Lookups lookups, long mostPadded) {
    List<Kernel> kernels = new ArrayList<>();
    kernels.add(
        new Call(device, "sort_blocks").l(2).l(SORT_BLOCK).of(keys).groups(lookups::blocks));
    for (long span = 2 * SORT_BLOCK; span <= mostPadded; span *= 2) {
      long own = span;
      for (long reach = span / 2; reach >= SORT_BLOCK; reach /= 2) {
        kernels.add(
            new Call(device, "sort_step")
                .l(lookups::padded)
                .l(span)
                .l(reach)
                .of(keys)
                .items(() -> own <= lookups.padded() ? lookups.padded() / 2 : 0));
      }
      kernels.add(
          new Call(device, "sort_blocks")
              .l(span)
              .l(span)
              .of(keys)
              .groups(() -> own <= lookups.padded() ? lookups.blocks() : 0));
    }
    return kernels;
  }
}
