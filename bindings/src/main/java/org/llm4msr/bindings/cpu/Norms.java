package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Normalisations: root mean square, batch statistics per group, softmax. */
public final class Norms {
  private static final MethodHandle RMS_NORM = CpuLibrary.kernel("rms_norm", "PLLPPDP");
  private static final MethodHandle RMS_NORM_GRADIENT =
      CpuLibrary.kernel("rms_norm_gradient", "PLLPPPDPP");
  private static final MethodHandle LAYER_NORM = CpuLibrary.kernel("layer_norm", "PLLPPPDP");
  private static final MethodHandle LAYER_NORM_GRADIENT =
      CpuLibrary.kernel("layer_norm_gradient", "PLLPPPDPPP");
  private static final MethodHandle GROUPED_BATCH_NORM =
      CpuLibrary.kernel("grouped_batch_norm", "PLLLPPPPPPPDDIPPP");
  private static final MethodHandle GROUPED_BATCH_NORM_GRADIENT =
      CpuLibrary.kernel("grouped_batch_norm_gradient", "PLLLPPPPPPPIPPP");
  private static final MethodHandle SOFTMAX = CpuLibrary.kernel("softmax", "PLLPP");
  private static final MethodHandle SOFTMAX_GRADIENT =
      CpuLibrary.kernel("softmax_gradient", "PLLPPP");

  private Norms() {}

  /** {@code y = x / sqrt(mean(x^2) + epsilon) * weight}; x, y {@code [rows, width]}. */
  public static void rmsNorm(
      CpuPool pool,
      long rows,
      long width,
      MemorySegment x,
      MemorySegment weight,
      double epsilon,
      MemorySegment y) {
    Checks.floats("x", x, rows, width, width);
    Checks.floats("y", y, rows, width, width);
    Checks.floats("weight", weight, width);
    try {
      int code = (int) RMS_NORM.invokeExact(pool.handle(), rows, width, x, weight, epsilon, y);
      CpuLibrary.check(code, "rmsNorm");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** Gradients dx {@code [rows, width]} and dweight {@code [width]} of {@link #rmsNorm}. */
  public static void rmsNormGradient(
      CpuPool pool,
      long rows,
      long width,
      MemorySegment x,
      MemorySegment weight,
      MemorySegment dy,
      double epsilon,
      MemorySegment dx,
      MemorySegment dweight) {
    Checks.floats("x", x, rows, width, width);
    Checks.floats("dy", dy, rows, width, width);
    Checks.floats("dx", dx, rows, width, width);
    Checks.floats("weight", weight, width);
    Checks.floats("dweight", dweight, width);
    try {
      int code =
          (int)
              RMS_NORM_GRADIENT.invokeExact(
                  pool.handle(), rows, width, x, weight, dy, epsilon, dx, dweight);
      CpuLibrary.check(code, "rmsNormGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code y = (x - mean) / sqrt(variance + epsilon) * weight + bias}; x, y {@code [rows, width]}.
   */
  public static void layerNorm(
      CpuPool pool,
      long rows,
      long width,
      MemorySegment x,
      MemorySegment weight,
      MemorySegment bias,
      double epsilon,
      MemorySegment y) {
    Checks.floats("x", x, rows, width, width);
    Checks.floats("y", y, rows, width, width);
    Checks.floats("weight", weight, width);
    Checks.floats("bias", bias, width);
    try {
      int code =
          (int) LAYER_NORM.invokeExact(pool.handle(), rows, width, x, weight, bias, epsilon, y);
      CpuLibrary.check(code, "layerNorm");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Gradients dx {@code [rows, width]}, dweight and dbias {@code [width]} of {@link #layerNorm}.
   */
  public static void layerNormGradient(
      CpuPool pool,
      long rows,
      long width,
      MemorySegment x,
      MemorySegment weight,
      MemorySegment dy,
      double epsilon,
      MemorySegment dx,
      MemorySegment dweight,
      MemorySegment dbias) {
    Checks.floats("x", x, rows, width, width);
    Checks.floats("dy", dy, rows, width, width);
    Checks.floats("dx", dx, rows, width, width);
    Checks.floats("weight", weight, width);
    Checks.floats("dweight", dweight, width);
    Checks.floats("dbias", dbias, width);
    try {
      int code =
          (int)
              LAYER_NORM_GRADIENT.invokeExact(
                  pool.handle(), rows, width, x, weight, dy, epsilon, dx, dweight, dbias);
      CpuLibrary.check(code, "layerNormGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Batch normalisation with statistics per group of rows: {@code y = (x - mean) * inverseStd *
   * scale + shift}. In training a group of two or more rows uses its own statistics and moves the
   * running ones; otherwise the running ones are used.
   *
   * @param x {@code [rows, width]}, like y; everything else {@code [groups, width]}
   * @param mean the mean used, an output like {@code inverseStd}
   * @throws IllegalArgumentException also if a row or offset is out of range
   */
  public static void groupedBatchNorm(
      CpuPool pool,
      long rows,
      long width,
      long groups,
      MemorySegment x,
      MemorySegment order,
      MemorySegment offsets,
      MemorySegment scale,
      MemorySegment shift,
      MemorySegment runningMean,
      MemorySegment runningVariance,
      double epsilon,
      double momentum,
      boolean training,
      MemorySegment y,
      MemorySegment mean,
      MemorySegment inverseStd) {
    Checks.floats("x", x, rows, width, width);
    Checks.floats("y", y, rows, width, width);
    Checks.grouping(order, offsets, rows, groups);
    Checks.floats("scale", scale, groups, width, width);
    Checks.floats("shift", shift, groups, width, width);
    Checks.floats("runningMean", runningMean, groups, width, width);
    Checks.floats("runningVariance", runningVariance, groups, width, width);
    Checks.floats("mean", mean, groups, width, width);
    Checks.floats("inverseStd", inverseStd, groups, width, width);
    int trainingFlag = training ? 1 : 0;
    try {
      int code =
          (int)
              GROUPED_BATCH_NORM.invokeExact(
                  pool.handle(),
                  rows,
                  width,
                  groups,
                  x,
                  order,
                  offsets,
                  scale,
                  shift,
                  runningMean,
                  runningVariance,
                  epsilon,
                  momentum,
                  trainingFlag,
                  y,
                  mean,
                  inverseStd);
      CpuLibrary.check(code, "groupedBatchNorm");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Gradients of {@link #groupedBatchNorm}, given the statistics that it used.
   *
   * @param dx {@code [rows, width]}
   * @param dscale {@code [groups, width]}, like dshift
   * @throws IllegalArgumentException also if a row or offset is out of range
   */
  public static void groupedBatchNormGradient(
      CpuPool pool,
      long rows,
      long width,
      long groups,
      MemorySegment x,
      MemorySegment order,
      MemorySegment offsets,
      MemorySegment scale,
      MemorySegment mean,
      MemorySegment inverseStd,
      MemorySegment dy,
      boolean training,
      MemorySegment dx,
      MemorySegment dscale,
      MemorySegment dshift) {
    Checks.floats("x", x, rows, width, width);
    Checks.floats("dy", dy, rows, width, width);
    Checks.floats("dx", dx, rows, width, width);
    Checks.grouping(order, offsets, rows, groups);
    Checks.floats("scale", scale, groups, width, width);
    Checks.floats("mean", mean, groups, width, width);
    Checks.floats("inverseStd", inverseStd, groups, width, width);
    Checks.floats("dscale", dscale, groups, width, width);
    Checks.floats("dshift", dshift, groups, width, width);
    int trainingFlag = training ? 1 : 0;
    try {
      int code =
          (int)
              GROUPED_BATCH_NORM_GRADIENT.invokeExact(
                  pool.handle(),
                  rows,
                  width,
                  groups,
                  x,
                  order,
                  offsets,
                  scale,
                  mean,
                  inverseStd,
                  dy,
                  trainingFlag,
                  dx,
                  dscale,
                  dshift);
      CpuLibrary.check(code, "groupedBatchNormGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** Softmax over the last axis; x, y {@code [rows, width]}. */
  public static void softmax(
      CpuPool pool, long rows, long width, MemorySegment x, MemorySegment y) {
    Checks.floats("x", x, rows, width, width);
    Checks.floats("y", y, rows, width, width);
    try {
      int code = (int) SOFTMAX.invokeExact(pool.handle(), rows, width, x, y);
      CpuLibrary.check(code, "softmax");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** {@code dx = y * (dy - sum(y * dy))}; all {@code [rows, width]}. */
  public static void softmaxGradient(
      CpuPool pool, long rows, long width, MemorySegment y, MemorySegment dy, MemorySegment dx) {
    Checks.floats("y", y, rows, width, width);
    Checks.floats("dy", dy, rows, width, width);
    Checks.floats("dx", dx, rows, width, width);
    try {
      int code = (int) SOFTMAX_GRADIENT.invokeExact(pool.handle(), rows, width, y, dy, dx);
      CpuLibrary.check(code, "softmaxGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
