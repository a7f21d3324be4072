package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Elementwise arithmetic, its gradients and reductions, and copies of columns. */
public final class Elementwise {
  private static final MethodHandle UNARY = CpuLibrary.kernel("unary", "PILPP");
  private static final MethodHandle UNARY_GRADIENT = CpuLibrary.kernel("unary_gradient", "PILPPP");
  private static final MethodHandle BINARY = CpuLibrary.kernel("binary", "PIPPPPP");
  private static final MethodHandle SUM_TO = CpuLibrary.kernel("sum_to", "PPPPP");
  private static final MethodHandle SCALE = CpuLibrary.kernel("scale", "PLFFPP");
  private static final MethodHandle GLU = CpuLibrary.kernel("glu", "PILPPP");
  private static final MethodHandle GLU_GRADIENT = CpuLibrary.kernel("glu_gradient", "PILPPPPP");
  private static final MethodHandle COPY_COLUMNS = CpuLibrary.kernel("copy_columns", "PLLPLPL");
  private static final MethodHandle PAD_COLUMNS = CpuLibrary.kernel("pad_columns", "PLLPLPL");
  private static final MethodHandle TRANSPOSE = CpuLibrary.kernel("transpose", "PLLLPP");

  private static final MethodHandle DROPOUT = CpuLibrary.kernel("dropout", "PLIIFPP");
  private static final MethodHandle SUM_OF_SQUARES = CpuLibrary.kernel("sum_of_squares", "PLPP");

  private Elementwise() {}

  /** {@code y = activation(x)}; y may be x. */
  public static void unary(
      CpuPool pool, Activation activation, long count, MemorySegment x, MemorySegment y) {
    Checks.floats("x", x, count);
    Checks.floats("y", y, count);
    try {
      int code = (int) UNARY.invokeExact(pool.handle(), activation.ordinal(), count, x, y);
      CpuLibrary.check(code, "unary");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Gradient of an activation.
   *
   * @param saved its output, or for SILU and GELU its input
   */
  public static void unaryGradient(
      CpuPool pool,
      Activation activation,
      long count,
      MemorySegment saved,
      MemorySegment dy,
      MemorySegment dx) {
    Checks.floats("saved", saved, count);
    Checks.floats("dy", dy, count);
    Checks.floats("dx", dx, count);
    try {
      int code =
          (int)
              UNARY_GRADIENT.invokeExact(pool.handle(), activation.ordinal(), count, saved, dy, dx);
      CpuLibrary.check(code, "unaryGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code y = a op b} with NumPy's broadcasting.
   *
   * @param dimsA four extents (I64) of a, outermost first, missing ones 1; dimsB likewise
   * @param y of the broadcast shape
   */
  public static void binary(
      CpuPool pool,
      Arithmetic op,
      MemorySegment dimsA,
      MemorySegment a,
      MemorySegment dimsB,
      MemorySegment b,
      MemorySegment y) {
    Checks.longs("dimsA", dimsA, RANK);
    Checks.longs("dimsB", dimsB, RANK);
    long countA = 1;
    long countB = 1;
    long count = 1;
    for (int axis = 0; axis < RANK; axis++) {
      long extentA = dimsA.getAtIndex(ValueLayout.JAVA_LONG, axis);
      long extentB = dimsB.getAtIndex(ValueLayout.JAVA_LONG, axis);
      if (extentA != extentB && extentA != 1 && extentB != 1) {
        throw new IllegalArgumentException(
            "extents " + extentA + " and " + extentB + " do not fit");
      }
      countA = Math.multiplyExact(countA, Checks.size("an extent of a", extentA));
      countB = Math.multiplyExact(countB, Checks.size("an extent of b", extentB));
      count = Math.multiplyExact(count, extentA == 1 ? extentB : extentA);
    }
    Checks.floats("a", a, countA);
    Checks.floats("b", b, countB);
    Checks.floats("y", y, count);
    try {
      int code = (int) BINARY.invokeExact(pool.handle(), op.ordinal(), dimsA, a, dimsB, b, y);
      CpuLibrary.check(code, "binary");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Sums x over the axes whose extent in {@code dimsOut} is 1; the reverse of broadcasting.
   *
   * @param dimsIn four extents (I64) of x; dimsOut of y
   */
  public static void sumTo(
      CpuPool pool, MemorySegment dimsIn, MemorySegment x, MemorySegment dimsOut, MemorySegment y) {
    Checks.longs("dimsIn", dimsIn, RANK);
    Checks.longs("dimsOut", dimsOut, RANK);
    long countIn = 1;
    long countOut = 1;
    for (int axis = 0; axis < RANK; axis++) {
      long extentIn = dimsIn.getAtIndex(ValueLayout.JAVA_LONG, axis);
      long extentOut = dimsOut.getAtIndex(ValueLayout.JAVA_LONG, axis);
      if (extentOut != extentIn && extentOut != 1) {
        throw new IllegalArgumentException(
            "extent " + extentIn + " cannot be summed to " + extentOut);
      }
      countIn = Math.multiplyExact(countIn, Checks.size("an extent of x", extentIn));
      countOut = Math.multiplyExact(countOut, extentOut);
    }
    Checks.floats("x", x, countIn);
    Checks.floats("y", y, countOut);
    try {
      int code = (int) SUM_TO.invokeExact(pool.handle(), dimsIn, x, dimsOut, y);
      CpuLibrary.check(code, "sumTo");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** {@code y = scale * x + offset}. */
  public static void scale(
      CpuPool pool, long count, float scale, float offset, MemorySegment x, MemorySegment y) {
    Checks.floats("x", x, count);
    Checks.floats("y", y, count);
    try {
      int code = (int) SCALE.invokeExact(pool.handle(), count, scale, offset, x, y);
      CpuLibrary.check(code, "scale");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** {@code y = activation(gate) * up}. */
  public static void glu(
      CpuPool pool,
      Activation activation,
      long count,
      MemorySegment gate,
      MemorySegment up,
      MemorySegment y) {
    Checks.floats("gate", gate, count);
    Checks.floats("up", up, count);
    Checks.floats("y", y, count);
    try {
      int code = (int) GLU.invokeExact(pool.handle(), activation.ordinal(), count, gate, up, y);
      CpuLibrary.check(code, "glu");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** Gradients of {@link #glu}. */
  public static void gluGradient(
      CpuPool pool,
      Activation activation,
      long count,
      MemorySegment gate,
      MemorySegment up,
      MemorySegment dy,
      MemorySegment dgate,
      MemorySegment dup) {
    Checks.floats("gate", gate, count);
    Checks.floats("up", up, count);
    Checks.floats("dy", dy, count);
    Checks.floats("dgate", dgate, count);
    Checks.floats("dup", dup, count);
    try {
      int code =
          (int)
              GLU_GRADIENT.invokeExact(
                  pool.handle(), activation.ordinal(), count, gate, up, dy, dgate, dup);
      CpuLibrary.check(code, "gluGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Copies a block {@code [rows, width]} between matrices with rows {@code ldSrc} and {@code ldDst}
   * apart.
   */
  public static void copyColumns(
      CpuPool pool,
      long rows,
      long width,
      MemorySegment src,
      long ldSrc,
      MemorySegment dst,
      long ldDst) {
    Checks.floats("src", src, rows, width, ldSrc);
    Checks.floats("dst", dst, rows, width, ldDst);
    try {
      int code = (int) COPY_COLUMNS.invokeExact(pool.handle(), rows, width, src, ldSrc, dst, ldDst);
      CpuLibrary.check(code, "copyColumns");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Places src {@code [rows, width]} at column {@code from} of dst {@code [rows, ldDst]}, zeros
   * around it.
   */
  public static void padColumns(
      CpuPool pool,
      long rows,
      long width,
      MemorySegment src,
      long from,
      MemorySegment dst,
      long ldDst) {
    Checks.floats("src", src, rows, width, width);
    Checks.floats("dst", dst, rows, ldDst, ldDst);
    if (Checks.size("from", from) > ldDst - width) {
      throw new IllegalArgumentException(
          width + " columns from " + from + " do not fit into " + ldDst);
    }
    try {
      int code = (int) PAD_COLUMNS.invokeExact(pool.handle(), rows, width, src, from, dst, ldDst);
      CpuLibrary.check(code, "padColumns");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** {@code y[g, j, i] = x[g, i, j]}: each of {@code count} matrices {@code [rows, columns]}. */
  public static void transpose(
      CpuPool pool, long count, long rows, long columns, MemorySegment x, MemorySegment y) {
    long elements = Checks.product("x", count, rows, columns);
    Checks.floats("x", x, elements);
    Checks.floats("y", y, elements);
    try {
      int code = (int) TRANSPOSE.invokeExact(pool.handle(), count, rows, columns, x, y);
      CpuLibrary.check(code, "transpose");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** Operations of {@link #binary}. Ordinals as in broadcast.c. */
  public enum Arithmetic {
    ADD,
    SUB,
    MUL,
    DIV
  }

  private static final int RANK = 4;

  /**
   * {@code y[i] = scale * x[i]}, or 0 where a hash of key and i is below the threshold.
   *
   * @param threshold an unsigned number
   */
  public static void dropout(
      CpuPool pool,
      long count,
      int key,
      int threshold,
      float scale,
      MemorySegment x,
      MemorySegment y) {
    Checks.floats("x", x, count);
    Checks.floats("y", y, count);
    try {
      int code = (int) DROPOUT.invokeExact(pool.handle(), count, key, threshold, scale, x, y);
      CpuLibrary.check(code, "dropout");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** Adds the squares of {@code count} elements to the double at {@code sum}. */
  public static void sumOfSquares(CpuPool pool, long count, MemorySegment x, MemorySegment sum) {
    Checks.floats("x", x, count);
    Checks.doubles("sum", sum, 1);
    try {
      int code = (int) SUM_OF_SQUARES.invokeExact(pool.handle(), count, x, sum);
      CpuLibrary.check(code, "sumOfSquares");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
