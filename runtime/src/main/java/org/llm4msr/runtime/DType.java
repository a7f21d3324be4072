package org.llm4msr.runtime;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Element types. Quantised types store {@link #blockSize} elements in {@link #blockBytes} bytes,
 * laid out as in GGUF; the others have blocks of one element.
 */
public enum DType {
  F32(1, 4),
  /** Only the reference backend computes in F64: it is the oracle for goldens and gradients. */
  F64(1, 8),
  F16(1, 2),
  BF16(1, 2),
  Q8_0(32, 34),
  Q4_0(32, 18),
  Q4_1(32, 20),
  Q5_0(32, 22),
  Q5_1(32, 24),
  Q2_K(256, 84),
  Q3_K(256, 110),
  Q4_K(256, 144),
  Q5_K(256, 176),
  Q6_K(256, 210),
  IQ4_NL(32, 18),
  IQ4_XS(256, 136),
  I32(1, 4),
  I64(1, 8),
  U8(1, 1);

  private final int blockSize;
  private final int blockBytes;

  DType(int blockSize, int blockBytes) {
    this.blockSize = blockSize;
    this.blockBytes = blockBytes;
  }

  /** Elements in one block. */
  public int blockSize() {
    return blockSize;
  }

  /** Bytes of one block. */
  public int blockBytes() {
    return blockBytes;
  }

  /**
   * Bytes that {@code elements} take.
   *
   * @throws IllegalArgumentException if they do not fill whole blocks
   * @throws ArithmeticException if the size overflows
   */
  public long byteSize(long elements) {
    if (elements < 0 || elements % blockSize != 0) {
      throw new IllegalArgumentException(
          elements + " elements do not fill whole blocks of " + blockSize + " (" + this + ")");
    }
    return Math.multiplyExact(elements / blockSize, (long) blockBytes);
  }

  /** Types that operators compute in. */
  public boolean isCompute() {
    return this == F32 || this == F64;
  }

  /** Types that store several elements together with their scales. */
  public boolean isQuantised() {
    return blockSize > 1;
  }

  /** Types that hold real numbers, quantised or not. */
  public boolean isFloat() {
    return this != I32 && this != I64 && this != U8;
  }

  /** Reads element {@code index} of an unquantised type as a double. */
  public double get(MemorySegment segment, long index) {
    return switch (this) {
      case F32 -> segment.get(ValueLayout.JAVA_FLOAT_UNALIGNED, index * 4);
      case F64 -> segment.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, index * 8);
      case F16 -> Float.float16ToFloat(segment.get(ValueLayout.JAVA_SHORT_UNALIGNED, index * 2));
      case BF16 ->
          Float.intBitsToFloat(segment.get(ValueLayout.JAVA_SHORT_UNALIGNED, index * 2) << 16);
      case I32 -> segment.get(ValueLayout.JAVA_INT_UNALIGNED, index * 4);
      case I64 -> segment.get(ValueLayout.JAVA_LONG_UNALIGNED, index * 8);
      case U8 -> segment.get(ValueLayout.JAVA_BYTE, index) & 0xff;
      default -> throw new IllegalArgumentException("no single elements in blocks of " + this);
    };
  }

  /** Writes element {@code index}; narrower types round to nearest even. */
  public void set(MemorySegment segment, long index, double value) {
    switch (this) {
      case F32 -> segment.set(ValueLayout.JAVA_FLOAT_UNALIGNED, index * 4, (float) value);
      case F64 -> segment.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, index * 8, value);
      case F16 ->
          segment.set(
              ValueLayout.JAVA_SHORT_UNALIGNED, index * 2, Float.floatToFloat16((float) value));
      case BF16 -> segment.set(ValueLayout.JAVA_SHORT_UNALIGNED, index * 2, toBf16((float) value));
      case I32 -> segment.set(ValueLayout.JAVA_INT_UNALIGNED, index * 4, (int) value);
      case I64 -> segment.set(ValueLayout.JAVA_LONG_UNALIGNED, index * 8, (long) value);
      case U8 -> segment.set(ValueLayout.JAVA_BYTE, index, (byte) (int) value);
      default -> throw new IllegalArgumentException("no single elements in blocks of " + this);
    }
  }

  private static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }
}
