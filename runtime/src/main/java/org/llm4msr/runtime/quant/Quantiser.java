package org.llm4msr.runtime.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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
   * Writes all {@code values} as blocks of {@code type} from {@code byteOffset} on.
   *
   * @param values a multiple of 32
   */
  public static void quantise(DType type, float[] values, MemorySegment into, long byteOffset) {
    if (!makes(type) || values.length % BLOCK != 0) {
      throw new IllegalArgumentException(values.length + " values as " + type);
    }
    for (int at = 0; at < values.length; at += BLOCK) {
      long to = byteOffset + type.byteSize(at);
      if (type == DType.Q8_0) {
        q8(values, at, into, to);
      } else {
        q4(values, at, into, to);
      }
    }
  }

  private static void q8(float[] x, int at, MemorySegment into, long to) {
    float largest = 0;
    for (int i = 0; i < BLOCK; i++) {
      largest = Math.max(largest, Math.abs(x[at + i]));
    }
    float d = largest / 127;
    float inverse = d == 0 ? 0 : 1 / d;
    into.set(ValueLayout.JAVA_SHORT_UNALIGNED, to, Float.floatToFloat16(d));
    for (int i = 0; i < BLOCK; i++) {
      into.set(ValueLayout.JAVA_BYTE, to + 2 + i, (byte) awayFromZero(x[at + i] * inverse));
    }
  }

  /** C's roundf: halves away from zero, exact where adding a half would not be. */
  private static int awayFromZero(float value) {
    return (int) (Math.signum(value) * Math.floor(Math.abs((double) value) + 0.5));
  }

  private static void q4(float[] x, int at, MemorySegment into, long to) {
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
    into.set(ValueLayout.JAVA_SHORT_UNALIGNED, to, Float.floatToFloat16(d));
    for (int i = 0; i < BLOCK / 2; i++) {
      int low = nibble(x[at + i], inverse);
      int high = nibble(x[at + BLOCK / 2 + i], inverse);
      into.set(ValueLayout.JAVA_BYTE, to + 2 + i, (byte) (low | high << 4));
    }
  }

  /**
   * Fused, as compilers make of ggml's expression and as gguf-py spells out: halves depend on it.
   */
  private static int nibble(float value, float inverse) {
    return Math.min(15, (int) Math.fma(value, inverse, 8.5f));
  }
}
