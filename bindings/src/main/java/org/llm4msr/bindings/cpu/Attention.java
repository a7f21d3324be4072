package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Attention over packed sequences and over a row's own list, and rotary positions. */
public final class Attention {
  private static final MethodHandle ROPE = CpuLibrary.kernel("rope", "PLLLLIIDPPPP");
  private static final MethodHandle ATTENTION =
      CpuLibrary.kernel("attention", "PLLLLLLDLLDPPPPPPP");
  private static final MethodHandle ATTENTION_GRADIENT =
      CpuLibrary.kernel("attention_gradient", "PLLLLLDLLDPPPPPPPP");
  private static final MethodHandle POOLING = CpuLibrary.kernel("attention_pooling", "PLLLPPPPP");
  private static final MethodHandle POOLING_GRADIENT =
      CpuLibrary.kernel("attention_pooling_gradient", "PLLLPPPPPPP");

  private Attention() {}

  /**
   * Turns pairs of the first {@code rotary} numbers of each head by {@code position *
   * inverseFrequency} and scales them, copies the rest.
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
      double scale,
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
                  scale,
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
   * What a query at position p of its sequence sees: keys from {@code p - before} to {@code p +
   * after}. With {@code cap > 0} scores become {@code cap * tanh(score / cap)}.
   */
  public record Mask(long before, long after, double cap) {
    public Mask {
      if (before < 0 || after < 0 || !(cap >= 0)) {
        throw new IllegalArgumentException(
            "a mask of " + before + " before, " + after + " after, cap " + cap);
      }
    }
  }

  /**
   * {@code softmax(scale * q k^T) v} within each sequence; query head h reads key head {@code h /
   * (heads / kvHeads)}. The keys of sequence s are the rows from {@code keyBegins[s]} to {@code
   * keyEnds[s]}, and its queries stand at their end.
   *
   * @param q {@code [tokens, heads * headDim]}, like out
   * @param k {@code [keys, kvHeads * headDim]}, like v
   * @param offsets I32 {@code [sequences + 1]}, from 0 to tokens
   * @param keyBegins I32 {@code [sequences]}, like keyEnds
   * @throws IllegalArgumentException also if the offsets fall or do not end at {@code tokens}, or a
   *     sequence's keys are out of range or fewer than its queries
   */
  public static void attention(
      CpuPool pool,
      long tokens,
      long keys,
      long sequences,
      long heads,
      long kvHeads,
      long headDim,
      double scale,
      Mask mask,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v,
      MemorySegment offsets,
      MemorySegment keyBegins,
      MemorySegment keyEnds,
      MemorySegment out) {
    checkHeads(heads, kvHeads, headDim);
    long width = Math.multiplyExact(heads, headDim);
    long kvWidth = Math.multiplyExact(kvHeads, headDim);
    Checks.floats("q", q, tokens, width, width);
    Checks.floats("k", k, keys, kvWidth, kvWidth);
    Checks.floats("v", v, keys, kvWidth, kvWidth);
    Checks.ints("offsets", offsets, Checks.size("sequences", sequences) + 1);
    Checks.ints("keyBegins", keyBegins, sequences);
    Checks.ints("keyEnds", keyEnds, sequences);
    Checks.floats("out", out, tokens, width, width);
    long before = mask.before();
    long after = mask.after();
    double cap = mask.cap();
    try {
      int code =
          (int)
              ATTENTION.invokeExact(
                  pool.handle(),
                  tokens,
                  keys,
                  sequences,
                  heads,
                  kvHeads,
                  headDim,
                  scale,
                  before,
                  after,
                  cap,
                  q,
                  k,
                  v,
                  offsets,
                  keyBegins,
                  keyEnds,
                  out);
      CpuLibrary.check(code, "attention");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Gradients dq, dk and dv of {@link #attention}, shaped like q, k and v, where the keys are the
   * sequences' own tokens.
   */
  public static void attentionGradient(
      CpuPool pool,
      long tokens,
      long sequences,
      long heads,
      long kvHeads,
      long headDim,
      double scale,
      Mask mask,
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
    long before = mask.before();
    long after = mask.after();
    double cap = mask.cap();
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
                  before,
                  after,
                  cap,
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

  /**
   * {@code y[r] = sum_k weights[r, k] x[r, k]}, the weights a softmax of {@code <q[r], x[r, k]>}
   * over the elements that are there, 0 for others.
   *
   * @param q {@code [rows, width]}, like y
   * @param x {@code [rows, length, width]}
   * @param present {@code [rows, length]}, 0 where there is no element
   * @param weights {@code [rows, length]}
   */
  public static void pooling(
      CpuPool pool,
      long rows,
      long length,
      long width,
      MemorySegment q,
      MemorySegment x,
      MemorySegment present,
      MemorySegment y,
      MemorySegment weights) {
    Checks.floats("q", q, Checks.product("q", rows, width));
    Checks.floats("x", x, Checks.product("x", rows, length, width));
    Checks.floats("present", present, Checks.product("present", rows, length));
    Checks.floats("y", y, Checks.product("y", rows, width));
    Checks.floats("weights", weights, Checks.product("weights", rows, length));
    try {
      int code =
          (int) POOLING.invokeExact(pool.handle(), rows, length, width, q, x, present, y, weights);
      CpuLibrary.check(code, "attentionPooling");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Gradients dq and dx, shaped like q and x, of {@link #pooling}, from its weights, y and dy
   * {@code [rows, width]}.
   */
  public static void poolingGradient(
      CpuPool pool,
      long rows,
      long length,
      long width,
      MemorySegment q,
      MemorySegment x,
      MemorySegment weights,
      MemorySegment y,
      MemorySegment dy,
      MemorySegment dq,
      MemorySegment dx) {
    Checks.floats("q", q, Checks.product("q", rows, width));
    Checks.floats("x", x, Checks.product("x", rows, length, width));
    Checks.floats("weights", weights, Checks.product("weights", rows, length));
    Checks.floats("y", y, Checks.product("y", rows, width));
    Checks.floats("dy", dy, Checks.product("dy", rows, width));
    Checks.floats("dq", dq, Checks.product("dq", rows, width));
    Checks.floats("dx", dx, Checks.product("dx", rows, length, width));
    try {
      int code =
          (int)
              POOLING_GRADIENT.invokeExact(
                  pool.handle(), rows, length, width, q, x, weights, y, dy, dq, dx);
      CpuLibrary.check(code, "attentionPoolingGradient");
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
