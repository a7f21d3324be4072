package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Losses and their gradients. */
public final class Losses {
  private static final MethodHandle BCE = CpuLibrary.kernel("bce_with_logits", "PLPPPP");
  private static final MethodHandle BCE_GRADIENT =
      CpuLibrary.kernel("bce_with_logits_gradient", "PLPPPPP");

  private Losses() {}

  /**
   * Mean binary cross-entropy of logits, 0 for an empty batch.
   *
   * @param labels {@code [count]}, like logits
   * @param weights {@code [count]}, or null
   * @param loss {@code [1]}
   */
  public static void bceWithLogits(
      CpuPool pool,
      long count,
      MemorySegment logits,
      MemorySegment labels,
      MemorySegment weights,
      MemorySegment loss) {
    Checks.floats("logits", logits, count);
    Checks.floats("labels", labels, count);
    MemorySegment weightsOrNull = Checks.optional("weights", weights, count);
    Checks.floats("loss", loss, 1);
    try {
      int code = (int) BCE.invokeExact(pool.handle(), count, logits, labels, weightsOrNull, loss);
      CpuLibrary.check(code, "bceWithLogits");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** {@code dlogits = dloss / count * weight * (sigmoid(logit) - label)}. */
  public static void bceWithLogitsGradient(
      CpuPool pool,
      long count,
      MemorySegment logits,
      MemorySegment labels,
      MemorySegment weights,
      MemorySegment dloss,
      MemorySegment dlogits) {
    Checks.floats("logits", logits, count);
    Checks.floats("labels", labels, count);
    MemorySegment weightsOrNull = Checks.optional("weights", weights, count);
    Checks.floats("dloss", dloss, 1);
    Checks.floats("dlogits", dlogits, count);
    try {
      int code =
          (int)
              BCE_GRADIENT.invokeExact(
                  pool.handle(), count, logits, labels, weightsOrNull, dloss, dlogits);
      CpuLibrary.check(code, "bceWithLogitsGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
