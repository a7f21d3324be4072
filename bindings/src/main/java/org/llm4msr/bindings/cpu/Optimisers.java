package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Adam, dense and for tables with sparse gradients; all update in place. */
public final class Optimisers {
  private static final MethodHandle ADAM = CpuLibrary.kernel("adam", "PLPPPPPDDDD");
  private static final MethodHandle SPARSE_ADAM =
      CpuLibrary.kernel("sparse_adam", "PLLPPPLPPPPDDDDI");

  private Optimisers() {}

  /**
   * One step of Adam with coupled L2 weight decay.
   *
   * @param p {@code [count]}, like m, v and g
   * @param state F64 {@code [2]}: learning rate and step number from 1
   */
  public static void adam(
      CpuPool pool,
      long count,
      MemorySegment p,
      MemorySegment m,
      MemorySegment v,
      MemorySegment g,
      MemorySegment state,
      double beta1,
      double beta2,
      double epsilon,
      double weightDecay) {
    Checks.floats("p", p, count);
    Checks.floats("m", m, count);
    Checks.floats("v", v, count);
    Checks.floats("g", g, count);
    Checks.doubles("state", state, 2);
    try {
      int code =
          (int)
              ADAM.invokeExact(
                  pool.handle(), count, p, m, v, g, state, beta1, beta2, epsilon, weightDecay);
      CpuLibrary.check(code, "adam");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * One step for a table with sparse gradient rows.
   *
   * @param p {@code [size, width]}, like m and v
   * @param rows I32 {@code [capacity]}, the first {@code count[0]} ascending
   * @param values {@code [capacity, width]}
   * @param state F64 {@code [2]}: learning rate and step number from 1
   * @param lazy only listed rows change; else the others decay and move too
   * @throws IllegalArgumentException also if the rows do not ascend within {@code size}
   */
  public static void sparseAdam(
      CpuPool pool,
      long size,
      long width,
      MemorySegment p,
      MemorySegment m,
      MemorySegment v,
      long capacity,
      MemorySegment rows,
      MemorySegment count,
      MemorySegment values,
      MemorySegment state,
      double beta1,
      double beta2,
      double epsilon,
      double weightDecay,
      boolean lazy) {
    Checks.floats("p", p, size, width, width);
    Checks.floats("m", m, size, width, width);
    Checks.floats("v", v, size, width, width);
    Checks.ints("rows", rows, capacity);
    Checks.ints("count", count, 1);
    Checks.floats("values", values, capacity, width, width);
    Checks.doubles("state", state, 2);
    int lazyFlag = lazy ? 1 : 0;
    try {
      int code =
          (int)
              SPARSE_ADAM.invokeExact(
                  pool.handle(),
                  size,
                  width,
                  p,
                  m,
                  v,
                  capacity,
                  rows,
                  count,
                  values,
                  state,
                  beta1,
                  beta2,
                  epsilon,
                  weightDecay,
                  lazyFlag);
      CpuLibrary.check(code, lazy ? "lazyAdam" : "sparseAdam");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
