package org.llm4msr.runtime.quant;

import org.llm4msr.runtime.DType;

/** Makes Q8_0 and Q4_0 weights, rounding exactly as ggml's {@code quantize_row_*_ref}. */
public final class Quantiser {
  private static final int BLOCK = 32;

  private Quantiser() {}

  /** Whether {@link #quantise} makes this type. */
  public static boolean makes(DType type) {
    return type == DType.Q8_0 || type == DType.Q4_0;
  }

  /**
   * Makes blocks of {@code type} of all values.
   *
   * @param values a multiple of 32
   * @param into room for {@link DType#byteSize} of them
   */
  public static void quantise(DType type, float[] values, byte[] into) {
    if (!makes(type) || values.length % BLOCK != 0 || into.length != type.byteSize(values.length)) {
      throw new IllegalArgumentException(values.length + " values as " + type);
    }
    for (int at = 0, to = 0; at < values.length; at += BLOCK, to += type.blockBytes()) {
      if (type == DType.Q8_0) {
        q8(values, at, into, to);
      } else {
        q4(values, at, into, to);
      }
    }
  }

  private static void scale(float d, byte[] into, int to) {
    short bits = Float.floatToFloat16(d);
    into[to] = (byte) bits;
    into[to + 1] = (byte) (bits >> 8);
  }

  private static void q8(float[] x, int at, byte[] into, int to) {
    float largest = 0;
    for (int i = 0; i < BLOCK; i++) {
      largest = Math.max(largest, Math.abs(x[at + i]));
    }
    float d = largest / 127;
    float inverse = d == 0 ? 0 : 1 / d;
    scale(d, into, to);
    for (int i = 0; i < BLOCK; i++) {
      into[to + 2 + i] = (byte) awayFromZero(x[at + i] * inverse);
    }
  }

  /** C's roundf: halves away from zero; the sum is exact in double. */
  private static int awayFromZero(float value) {
    return (int) (value + Math.copySign(0.5, value));
  }

  private static void q4(float[] x, int at, byte[] into, int to) {
    float largest = 0;
    float extreme = 0;
    for (int i = 0; i < BLOCK; i++) {
      if (largest < Math.abs(x[at + i])) {
        largest = Math.abs(x[at + i]);
        extreme = x[at + i];
      }
    }
    // The extreme value itself becomes -8, the level that has no positive counterpart.
    float d = extreme / -8;
    float inverse = d == 0 ? 0 : 1 / d;
    scale(d, into, to);
    for (int i = 0; i < BLOCK / 2; i++) {
      int low = nibble(x[at + i], inverse);
      int high = nibble(x[at + BLOCK / 2 + i], inverse);
      into[to + 2 + i] = (byte) (low | high << 4);
    }
  }

  /**
   * Fused, as compilers make of ggml's expression and as gguf-py spells out: halves depend on it.
   */
  private static int nibble(float value, float inverse) {
    return Math.min(15, (int) Math.fma(value, inverse, 8.5f));
  }
}
