package org.llm4msr.runtime.backend.portable;

import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * A matrix product {@code C[z] = A[z] B[z]} for a number of batches z, described by where the
 * matrices' elements lie; matmul.kk says what the steps mean.
 */
final class Product {
  private static final int STRIDED = 0;
  private static final int BY_ROWS = 1;
  private static final int BY_INNER = 2;

  private static final int WITH_BIAS = 1;
  private static final int WITH_RESIDUAL = 2;
  private static final int WITH_GATE = 4;

  /** Rows and columns that a group makes on a GPU; TILE in matmul.kk. */
  private static final int TILE = 64;

  /** Inner elements that a group takes at a time; STEP in matmul.kk. */
  private static final long STEP = 16;

  /**
   * Groups that keep a large GPU busy: a product of fewer tiles is split, if that leaves enough.
   */
  private static final long ENOUGH_GROUPS = 256;

  /** Inner elements of a part. */
  private static final long LEAST_PART = 256;

  /** Rows and columns that a work item makes on a CPU; CPU_ROWS and PANEL in matmul_cpu.cl. */
  private static final int CPU_ROWS = 6;

  private static final int PANEL = 16;

  /** Work items in a group on a CPU. */
  private static final int CPU_GROUP = 4;

  /**
   * A matrix: its memory and the steps between batches, rows (of B: inner elements) and inner
   * elements (of B: columns).
   */
  record Matrix(
      Consumer<Call> memory, LongSupplier batch, LongSupplier first, LongSupplier second) {
    static Matrix of(Operand operand, LongSupplier batch, LongSupplier first, LongSupplier second) {
      return new Matrix(call -> call.of(operand), batch, first, second);
    }

    void addTo(Call call) {
      memory.accept(call);
      call.l(batch).l(first).l(second);
    }
  }

  /** Rows, columns and inner extent of every batch, and the largest that they may be. */
  record Extents(
      LongSupplier rows,
      LongSupplier columns,
      LongSupplier inner,
      long mostBatches,
      long mostColumns,
      long mostInner) {}

  private final Device device;
  private final Matrix a;
  private final Matrix b;
  private final Extents extents;
  private final Operand c;
  private final LongSupplier cBatch;
  private final LongSupplier cRow;
  private final long cAt;

  private int with;
  private int activation;
  private Operand bias;
  private LongSupplier biasBatch = () -> 0;
  private Operand residual;
  private Operand gate;

  /**
   * @param cAt the column of c that the first column goes to
   */
  Product(
      Device device,
      Matrix a,
      Matrix b,
      Extents extents,
      Operand c,
      LongSupplier cBatch,
      LongSupplier cRow,
      long cAt) {
    this.device = device;
    this.a = a;
    this.b = b;
    this.extents = extents;
    this.c = c;
    this.cBatch = cBatch;
    this.cRow = cRow;
    this.cAt = cAt;
  }

  Product bias(Operand operand, LongSupplier batch) {
    bias = operand;
    biasBatch = batch;
    with |= WITH_BIAS;
    return this;
  }

  Product residual(Operand operand) {
    residual = operand;
    with |= WITH_RESIDUAL;
    return this;
  }

  Product gate(Operand operand) {
    gate = operand;
    with |= WITH_GATE;
    return this;
  }

  Product activation(UnaryOp.Kind kind) {
    activation = ElementCalls.number(kind);
    return this;
  }

  /** Independent batches. */
  Kernel strided(LongSupplier batches) {
    Kernel plain =
        bind(STRIDED, null, batches, () -> Math.ceilDiv(extents.rows().getAsLong(), tile()));
    if (device.isCpu() || extents.mostInner() < 2 * LEAST_PART) {
      return plain;
    }
    Kernel split = split();
    return () -> {
      if (batches.getAsLong() == 1 && splits() > 1) {
        split.run();
      } else {
        plain.run();
      }
    };
  }

  /** Into how many parts of its inner extent a single product is split; 1 if it has many tiles. */
  private long splits() {
    long tiles = tiles(extents.rows()) * tiles(extents.columns());
    long most = Math.ceilDiv(ENOUGH_GROUPS, Math.max(1, tiles));
    return Math.max(1, Math.min(most, extents.inner().getAsLong() / LEAST_PART));
  }

  private static long tiles(LongSupplier extent) {
    return Math.ceilDiv(extent.getAsLong(), TILE);
  }

  /** The parts as batches, into scratch memory, and then their sum. */
  private Kernel split() {
    LongSupplier part =
        () -> Math.ceilDiv(Math.ceilDiv(extents.inner().getAsLong(), splits()), STEP) * STEP;
    LongSupplier down = () -> tiles(extents.rows());
    LongSupplier across = () -> tiles(extents.columns());
    Device.Scratch partial = device.scratch(PortableOperators.SPLIT_SUMS);
    // No more than twice as many tiles as are enough.
    partial.require(Float.BYTES * 2 * ENOUGH_GROUPS * TILE * TILE);
    Call parts = new Call(device, "matmul").i(STRIDED).l(extents.inner());
    parts.l(extents.rows()).l(extents.columns()).l(part).l(down).l(across);
    new Matrix(a.memory(), () -> part.getAsLong() * a.second().getAsLong(), a.first(), a.second())
        .addTo(parts);
    new Matrix(b.memory(), () -> part.getAsLong() * b.first().getAsLong(), b.first(), b.second())
        .addTo(parts);
    parts
        .of(partial)
        .l(() -> extents.rows().getAsLong() * extents.columns().getAsLong())
        .l(extents.columns())
        .l(0);
    parts.nothing().nothing().nothing().i(0).i(0).i(0).nothing().l(0).nothing().nothing().fault();
    Call sum = new Call(device, "sum_splits").l(this::splits);
    sum.l(extents.rows()).l(extents.columns()).of(partial).of(c).l(cRow).l(cAt);
    sum.i(with).i(activation).ofOrNothing(bias).ofOrNothing(residual).ofOrNothing(gate);
    return Call.sequence(
        parts.groups(() -> splits() * down.getAsLong() * across.getAsLong()),
        sum.items(() -> extents.rows().getAsLong() * extents.columns().getAsLong()));
  }

  /** The rows of A and C fall into groups, each with its own B. */
  Kernel byRows(Groups groups) {
    Device.Scratch starts = device.scratch(PortableOperators.TILE_STARTS);
    Kernel tiles =
        groups
            .addOffsets(new Call(device, "group_tiles").i(groups::count).i(tile()))
            .of(starts, Integer.BYTES * (groups.maxCount() + 1))
            .fault()
            .groups(() -> 1);
    // Every group may have a tile that is not full.
    LongSupplier most = () -> Math.ceilDiv(extents.rows().getAsLong(), tile()) + groups.count();
    return Call.sequence(groups.check(), tiles, bind(BY_ROWS, groups, () -> 1, most));
  }

  /** C[z] sums over the rows of group z. */
  Kernel byInner(Groups groups) {
    return Call.sequence(
        groups.check(),
        bind(
            BY_INNER,
            groups,
            groups::count,
            () -> Math.ceilDiv(extents.rows().getAsLong(), tile())));
  }

  private long tile() {
    return device.isCpu() ? CPU_ROWS : TILE;
  }

  private Kernel bind(int mode, Groups groups, LongSupplier batches, LongSupplier down) {
    return device.isCpu() ? onCpu(mode, groups, batches, down) : onGpu(mode, groups, batches, down);
  }

  private Kernel onGpu(int mode, Groups groups, LongSupplier batches, LongSupplier down) {
    LongSupplier across = () -> Math.ceilDiv(extents.columns().getAsLong(), TILE);
    Call call = new Call(device, "matmul").i(mode).l(0);
    shape(call, down, across);
    a.addTo(call);
    b.addTo(call);
    return finish(call, mode, groups)
        .groups(() -> batches.getAsLong() * down.getAsLong() * across.getAsLong());
  }

  private Kernel onCpu(int mode, Groups groups, LongSupplier batches, LongSupplier down) {
    LongSupplier across = () -> Math.ceilDiv(extents.columns().getAsLong(), PANEL);
    // A group's rows lie scattered: B is packed as a whole in their order.
    LongSupplier packed = mode == BY_ROWS ? groups::count : mode == BY_INNER ? () -> 1 : batches;
    long mostPanels = extents.mostBatches() * Math.ceilDiv(extents.mostColumns(), PANEL);
    Device.Scratch panels = device.scratch(PortableOperators.PANELS);
    panels.require(Float.BYTES * PANEL * mostPanels * extents.mostInner());
    Call pack =
        new Call(device, "pack_panels").i(mode).l(packed).l(extents.columns()).l(extents.inner());
    b.addTo(pack);
    if (mode == BY_INNER) {
      groups.addOrder(pack);
    } else {
      pack.nothing();
    }
    Kernel packing =
        pack.of(panels)
            .fault()
            .items(() -> packed.getAsLong() * across.getAsLong() * extents.inner().getAsLong());
    LongSupplier items = () -> batches.getAsLong() * down.getAsLong() * across.getAsLong();
    Call call = new Call(device, "matmul_cpu").i(mode).l(items);
    shape(call, down, across);
    a.addTo(call);
    call.of(panels);
    Kernel multiply =
        finish(call, mode, groups)
            .bind(CPU_GROUP, () -> Math.ceilDiv(items.getAsLong(), CPU_GROUP));
    return Call.sequence(packing, multiply);
  }

  private void shape(Call call, LongSupplier down, LongSupplier across) {
    call.l(extents.rows()).l(extents.columns()).l(extents.inner()).l(down).l(across);
  }

  /** Everything from C on. */
  private Call finish(Call call, int mode, Groups groups) {
    call.of(c).l(cBatch).l(cRow).l(cAt);
    if (groups == null) {
      call.nothing().nothing();
    } else {
      groups.add(call);
    }
    if (mode == BY_ROWS) {
      call.of(device.scratch(PortableOperators.TILE_STARTS));
    } else {
      call.nothing();
    }
    call.i(() -> groups == null ? 0 : groups.count()).i(with).i(activation);
    call.ofOrNothing(bias).l(biasBatch);
    return call.ofOrNothing(residual).ofOrNothing(gate).fault();
  }
}
