package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Each row's mixture of its own blocks. */
public final class Mixtures {
  private static final MethodHandle MIXTURE = CpuLibrary.kernel("mixture", "PLLLPLPIP");
  private static final MethodHandle GRADIENT = CpuLibrary.kernel("mixture_gradient", "PLLLPLPPPP");

  private Mixtures() {}

  /**
   * {@code y[r] = sum_k gate[r, k] x[r, k]}.
   *
   * @param gate {@code [rows, blocks]}, rows {@code ldGate} apart
   * @param x {@code [rows, blocks, width]}
   * @param adds whether y is added to
   * @param y {@code [rows, width]}
   */
  public static void mixture(
      CpuPool pool,
      long rows,
      long blocks,
      long width,
      MemorySegment gate,
      long ldGate,
      MemorySegment x,
      boolean adds,
      MemorySegment y) {
    Checks.floats("gate", gate, rows, blocks, ldGate);
    Checks.floats("x", x, Checks.product("x", rows, blocks, width));
    Checks.floats("y", y, Checks.product("y", rows, width));
    int add = adds ? 1 : 0;
    try {
      int code =
          (int) MIXTURE.invokeExact(pool.handle(), rows, blocks, width, gate, ldGate, x, add, y);
      CpuLibrary.check(code, "mixture");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Gradients dgate {@code [rows, blocks]}, rows {@code ldGate} apart like the gate's, and dx
   * {@code [rows, blocks, width]} of a mixture.
   */
  public static void gradient(
      CpuPool pool,
      long rows,
      long blocks,
      long width,
      MemorySegment gate,
      long ldGate,
      MemorySegment x,
      MemorySegment dy,
      MemorySegment dgate,
      MemorySegment dx) {
    Checks.floats("gate", gate, rows, blocks, ldGate);
    Checks.floats("x", x, Checks.product("x", rows, blocks, width));
    Checks.floats("dy", dy, Checks.product("dy", rows, width));
    Checks.floats("dgate", dgate, rows, blocks, ldGate);
    Checks.floats("dx", dx, Checks.product("dx", rows, blocks, width));
    try {
      int code =
          (int)
              GRADIENT.invokeExact(
                  pool.handle(), rows, blocks, width, gate, ldGate, x, dy, dgate, dx);
      CpuLibrary.check(code, "mixtureGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
