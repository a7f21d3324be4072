package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Exact Adam for a table whose rows take the steps that they missed when they are read. */
public final class DeferredAdam {
  private static final MethodHandle STEP = CpuLibrary.kernel("deferred_adam", "PLLPPPPLPLPPPPDDDD");
  private static final MethodHandle CATCH_UP =
      CpuLibrary.kernel("adam_catch_up", "PLLPPPPLPLPLPDDDD");

  private DeferredAdam() {}

  /**
   * A table with its moments, and what is kept of its steps.
   *
   * @param p {@code [size, width]}, like m and v
   * @param done I32 {@code [size]}: the last step that a row has taken; a row may have missed
   *     {@code window} steps at most
   * @param window a power of two
   * @param rates {@code [window, 2]}
   * @throws IllegalArgumentException if a segment is too small for that
   */
  public record Table(
      long size,
      long width,
      MemorySegment p,
      MemorySegment m,
      MemorySegment v,
      MemorySegment done,
      long window,
      MemorySegment rates) {
    public Table {
      Checks.floats("p", p, size, width, width);
      Checks.floats("m", m, size, width, width);
      Checks.floats("v", v, size, width, width);
      Checks.ints("done", done, size);
      if (Long.bitCount(window) != 1 || window < 0) {
        throw new IllegalArgumentException("window must be a power of two, but is " + window);
      }
      Checks.floats("rates", rates, window, 2, 2);
    }
  }

  /** What Adam multiplies with. */
  public record Factors(double beta1, double beta2, double epsilon, double weightDecay) {}

  /**
   * Takes a step with the listed rows, and brings a part of the table up to it.
   *
   * @param rows I32 {@code [capacity]}, the first {@code count[0]} ascending
   * @param values {@code [capacity, width]}
   * @param state F64 {@code [2]}: learning rate and step number from 1
   * @throws IllegalArgumentException also if the rows do not ascend within the table, or the step
   *     number is none
   */
  public static void step(
      CpuPool pool,
      Table table,
      long capacity,
      MemorySegment rows,
      MemorySegment count,
      MemorySegment values,
      MemorySegment state,
      Factors factors) {
    Checks.ints("rows", rows, capacity);
    Checks.ints("count", count, 1);
    Checks.floats("values", values, capacity, table.width, table.width);
    Checks.doubles("state", state, 2);
    try {
      int code =
          (int)
              STEP.invokeExact(
                  pool.handle(),
                  table.size,
                  table.width,
                  table.p,
                  table.m,
                  table.v,
                  table.done,
                  table.window,
                  table.rates,
                  capacity,
                  rows,
                  count,
                  values,
                  state,
                  factors.beta1,
                  factors.beta2,
                  factors.epsilon,
                  factors.weightDecay);
      CpuLibrary.check(code, "deferredAdam");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Brings rows up to the step before the one in {@code state}.
   *
   * @param ids I32, {@code count} of them, {@code stride} apart; null for all rows
   * @throws IllegalArgumentException also if an id is outside the table
   */
  public static void catchUp(
      CpuPool pool,
      Table table,
      long count,
      MemorySegment ids,
      long stride,
      MemorySegment state,
      Factors factors) {
    MemorySegment listed = ids == null ? MemorySegment.NULL : Checks.ids("ids", ids, count, stride);
    Checks.doubles("state", state, 2);
    try {
      int code =
          (int)
              CATCH_UP.invokeExact(
                  pool.handle(),
                  table.size,
                  table.width,
                  table.p,
                  table.m,
                  table.v,
                  table.done,
                  table.window,
                  table.rates,
                  count,
                  listed,
                  stride,
                  state,
                  factors.beta1,
                  factors.beta2,
                  factors.epsilon,
                  factors.weightDecay);
      CpuLibrary.check(code, "adamCatchUp");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
