package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Each row's mixture of its own blocks, and products with a matrix of its own. */
public final class Mixtures {
  private static final MethodHandle MIXTURE = CpuLibrary.kernel("mixture", "PLLLPLPIP");
  private static final MethodHandle GRADIENT = CpuLibrary.kernel("mixture_gradient", "PLLLPLPPPP");
  private static final MethodHandle MAT_VEC = CpuLibrary.kernel("mat_vec", "PLLLPPP");
  private static final MethodHandle OUTER_PRODUCT = CpuLibrary.kernel("outer_product", "PLLLPPP");

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

  /**
   * {@code y[r] = M_r v[r]}.
   *
   * @param matrices {@code [rows, height, width]}
   * @param v {@code [rows, width]}
   * @param y {@code [rows, height]}
   */
  public static void matVec(
      CpuPool pool,
      long rows,
      long height,
      long width,
      MemorySegment matrices,
      MemorySegment v,
      MemorySegment y) {
    Checks.floats("matrices", matrices, Checks.product("matrices", rows, height, width));
    Checks.floats("v", v, Checks.product("v", rows, width));
    Checks.floats("y", y, Checks.product("y", rows, height));
    try {
      int code = (int) MAT_VEC.invokeExact(pool.handle(), rows, height, width, matrices, v, y);
      CpuLibrary.check(code, "matVec");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code y[r, i, j] = a[r, i] b[r, j]}.
   *
   * @param a {@code [rows, height]}
   * @param b {@code [rows, width]}
   * @param y {@code [rows, height, width]}
   */
  public static void outerProduct(
      CpuPool pool,
      long rows,
      long height,
      long width,
      MemorySegment a,
      MemorySegment b,
      MemorySegment y) {
    Checks.floats("a", a, Checks.product("a", rows, height));
    Checks.floats("b", b, Checks.product("b", rows, width));
    Checks.floats("y", y, Checks.product("y", rows, height, width));
    try {
      int code = (int) OUTER_PRODUCT.invokeExact(pool.handle(), rows, height, width, a, b, y);
      CpuLibrary.check(code, "outerProduct");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
