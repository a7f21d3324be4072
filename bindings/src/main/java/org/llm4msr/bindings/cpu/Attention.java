package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Attention over packed sequences, and rotary positions. */
public final class Attention {
  private static final MethodHandle ROPE = CpuLibrary.kernel("rope", "PLLLLIIPPPP");
  private static final MethodHandle ATTENTION = CpuLibrary.kernel("attention", "PLLLLLDIPPPPP");
  private static final MethodHandle ATTENTION_GRADIENT =
      CpuLibrary.kernel("attention_gradient", "PLLLLLDIPPPPPPPP");

  private Attention() {}

  /**
   * Turns pairs of the first {@code rotary} numbers of each head by {@code position *
   * inverseFrequency}, copies the rest.
   *
   * @param interleaved pairs {@code (2i, 2i + 1)}, else {@code (i, i + rotary / 2)}
   * @param inverse turns back: the gradient
   * @param x {@code [tokens, heads * headDim]}, like y
   * @param positions I32 {@code [tokens]}
   * @param inverseFrequency {@code [rotary / 2]}
   */
  public static void rope(
      CpuPool pool,
      long tokens,
      long heads,
      long headDim,
      long rotary,
      boolean interleaved,
      boolean inverse,
      MemorySegment x,
      MemorySegment positions,
      MemorySegment inverseFrequency,
      MemorySegment y) {
    checkHeads(heads, heads, headDim);
    if (rotary < 0 || rotary % 2 != 0 || rotary > headDim) {
      throw new IllegalArgumentException(
          "rotary must be even and in [0, " + headDim + "], not " + rotary);
    }
    long width = Math.multiplyExact(heads, headDim);
    Checks.floats("x", x, tokens, width, width);
    Checks.floats("y", y, tokens, width, width);
    Checks.ints("positions", positions, tokens);
    Checks.floats("inverseFrequency", inverseFrequency, rotary / 2);
    int interleavedFlag = interleaved ? 1 : 0;
    int inverseFlag = inverse ? 1 : 0;
    try {
      int code =
          (int)
              ROPE.invokeExact(
                  pool.handle(),
                  tokens,
                  heads,
                  headDim,
                  rotary,
                  interleavedFlag,
                  inverseFlag,
                  x,
                  positions,
                  inverseFrequency,
                  y);
      CpuLibrary.check(code, "rope");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code softmax(scale * q k^T) v} within each sequence; query head h reads key head {@code h /
   * (heads / kvHeads)}.
   *
   * @param causal a token sees itself and what is before it
   * @param q {@code [tokens, heads * headDim]}, like out
   * @param k {@code [tokens, kvHeads * headDim]}, like v
   * @param offsets I32 {@code [sequences + 1]}, from 0 to tokens
   * @throws IllegalArgumentException also if the offsets fall or do not end at {@code tokens}
   */
  public static void attention(
      CpuPool pool,
      long tokens,
      long sequences,
      long heads,
      long kvHeads,
      long headDim,
      double scale,
      boolean causal,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment offsets,
      MemorySegment out) {
    checkHeads(heads, kvHeads, headDim);
    long width = Math.multiplyExact(heads, headDim);
    long kvWidth = Math.multiplyExact(kvHeads, headDim);
    Checks.floats("q", q, tokens, width, width);
    Checks.floats("k", k, tokens, kvWidth, kvWidth);
    Checks.floats("v", v, tokens, kvWidth, kvWidth);
    Checks.ints("offsets", offsets, Checks.size("sequences", sequences) + 1);
    Checks.floats("out", out, tokens, width, width);
    int causalFlag = causal ? 1 : 0;
    try {
      int code =
          (int)
              ATTENTION.invokeExact(
                  pool.handle(),
                  tokens,
                  sequences,
                  heads,
                  kvHeads,
                  headDim,
                  scale,
                  causalFlag,
                  q,
                  k,
                  v,
                  offsets,
                  out);
      CpuLibrary.check(code, "attention");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** Gradients dq, dk and dv of {@link #attention}, shaped like q, k and v. */
  public static void attentionGradient(
      CpuPool pool,
      long tokens,
      long sequences,
      long heads,
      long kvHeads,
      long headDim,
      double scale,
      boolean causal,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment offsets,
      MemorySegment dout,
      MemorySegment dq,
      MemorySegment dk,
      MemorySegment dv) {
    checkHeads(heads, kvHeads, headDim);
    long width = Math.multiplyExact(heads, headDim);
    long kvWidth = Math.multiplyExact(kvHeads, headDim);
    Checks.floats("q", q, tokens, width, width);
    Checks.floats("k", k, tokens, kvWidth, kvWidth);
    Checks.floats("v", v, tokens, kvWidth, kvWidth);
    Checks.ints("offsets", offsets, Checks.size("sequences", sequences) + 1);
    Checks.floats("dout", dout, tokens, width, width);
    Checks.floats("dq", dq, tokens, width, width);
    Checks.floats("dk", dk, tokens, kvWidth, kvWidth);
    Checks.floats("dv", dv, tokens, kvWidth, kvWidth);
    int causalFlag = causal ? 1 : 0;
    try {
      int code =
          (int)
              ATTENTION_GRADIENT.invokeExact(
                  pool.handle(),
                  tokens,
                  sequences,
                  heads,
                  kvHeads,
                  headDim,
                  scale,
                  causalFlag,
                  q,
                  k,
                  v,
                  offsets,
                  dout,
                  dq,
                  dk,
                  dv);
      CpuLibrary.check(code, "attentionGradient");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  private static void checkHeads(long heads, long kvHeads, long headDim) {
    Checks.positive("headDim", headDim);
    if (kvHeads < 1 || heads < kvHeads || heads % kvHeads != 0) {
      throw new IllegalArgumentException(heads + " heads cannot share " + kvHeads + " key heads");
    }
  }
}
