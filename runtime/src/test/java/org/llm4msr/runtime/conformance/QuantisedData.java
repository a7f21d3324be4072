package org.llm4msr.runtime.conformance;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.llm4msr.runtime.DType;

/** Blocks of random bits, which reach every code that a type has, with scales of usual size. */
final class QuantisedData {
  private QuantisedData() {}

  /** Fills the blocks of {@code elements}, which serve as the seed. */
  static void fill(DType type, double[] elements, MemorySegment into) {
    Random random = new Random(Arrays.hashCode(elements));
    byte[] block = new byte[type.blockBytes()];
    long bytes = type.byteSize(elements.length);
    for (long at = 0; at < bytes; at += block.length) {
      random.nextBytes(block);
      MemorySegment.copy(block, 0, into, ValueLayout.JAVA_BYTE, at, block.length);
      for (int scale : scaleOffsets(type)) {
        float value =
            (float) ((random.nextBoolean() ? 1 : -1) * Math.scalb(1.0, -7 - random.nextInt(3)));
        into.set(
            ValueLayout.JAVA_SHORT_UNALIGNED,
            at + scale,
            Float.floatToFloat16(value * (1 + random.nextFloat())));
      }
    }
  }

  /** Where a block's F16 scales lie. */
  private static int[] scaleOffsets(DType type) {
    return switch (type) {
      case Q8_0, Q4_0, Q5_0, IQ4_NL, IQ4_XS -> new int[] {0};
      case Q4_1, Q5_1, Q4_K, Q5_K -> new int[] {0, 2};
      case Q2_K -> new int[] {80, 82};
      case Q3_K -> new int[] {108};
      case Q6_K -> new int[] {208};
      default -> throw new IllegalArgumentException(type + " is not quantised");
    };
  }
}
