package org.llm4msr.runtime.quant;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.llm4msr.runtime.DType;

/**
 * What the bytes of quantised weights stand for: plain Java, in the order of operations of ggml's
 * {@code dequantize_row_*}, so that every value is the same float.
 *
 * @see <a
 *     href="https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-quants.c">ggml-quants.c</a>
 */
public final class QuantisedBlocks {
  /** The levels of IQ4_NL and IQ4_XS. */
  private static final int[] LEVELS = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
  };

  private QuantisedBlocks() {}

  /**
   * Reads {@code count} elements, beginning with element {@code index}; both may lie inside a
   * block.
   *
   * @param weights whole blocks of {@code type} from its first byte on
   */
  public static void load(
      DType type, MemorySegment weights, long index, double[] into, int at, int count) {
    int size = type.blockSize();
    long block = index / size;
    int skip = (int) (index % size);
    double[] partial = skip == 0 && count % size == 0 ? null : new double[size];
    for (int done = 0; done < count; block++) {
      int taken = Math.min(size - skip, count - done);
      if (taken == size) {
        decode(type, weights, block * type.blockBytes(), into, at + done);
      } else {
        decode(type, weights, block * type.blockBytes(), partial, 0);
        System.arraycopy(partial, skip, into, at + done, taken);
      }
      done += taken;
      skip = 0;
    }
  }

  /** Decodes the block that begins at {@code byteOffset}. */
  private static void decode(DType type, MemorySegment m, long byteOffset, double[] y, int at) {
    Block b = new Block(m, byteOffset);
    switch (type) {
      case Q8_0 -> {
        float d = b.half(0);
        for (int i = 0; i < 32; i++) {
          y[at + i] = d * b.signed(2 + i);
        }
      }
      case Q4_0 -> {
        float d = b.half(0);
        for (int i = 0; i < 32; i++) {
          y[at + i] = d * (b.nibble(2, i) - 8);
        }
      }
      case Q4_1 -> {
        float d = b.half(0);
        float min = b.half(2);
        for (int i = 0; i < 32; i++) {
          y[at + i] = d * b.nibble(4, i) + min;
        }
      }
      case Q5_0 -> {
        float d = b.half(0);
        for (int i = 0; i < 32; i++) {
          y[at + i] = d * ((b.nibble(6, i) | b.bits(2 + i / 8, i % 8, 1) << 4) - 16);
        }
      }
      case Q5_1 -> {
        float d = b.half(0);
        float min = b.half(2);
        for (int i = 0; i < 32; i++) {
          y[at + i] = d * (b.nibble(8, i) | b.bits(4 + i / 8, i % 8, 1) << 4) + min;
        }
      }
      case Q2_K -> q2k(b, y, at);
      case Q3_K -> q3k(b, y, at);
      case Q4_K -> q4k(b, y, at);
      case Q5_K -> q5k(b, y, at);
      case Q6_K -> q6k(b, y, at);
      case IQ4_NL -> {
        float d = b.half(0);
        for (int i = 0; i < 32; i++) {
          y[at + i] = d * LEVELS[b.nibble(2, i)];
        }
      }
      case IQ4_XS -> iq4xs(b, y, at);
      case F32, F64, F16, BF16, I32, I64, U8 ->
          throw new IllegalArgumentException(type + " is not quantised");
    }
  }

  private static void q2k(Block b, double[] y, int at) {
    float d = b.half(80);
    float min = b.half(82);
    for (int i = 0; i < 256; i++) {
      int scales = b.unsigned(i / 16);
      int q = b.bits(16 + i / 128 * 32 + i % 32, i % 128 / 32 * 2, 2);
      y[at + i] = d * (scales & 15) * q - min * (scales >> 4);
    }
  }

  private static void q3k(Block b, double[] y, int at) {
    float d = b.half(108);
    for (int i = 0; i < 256; i++) {
      int j = i / 16;
      int low = j < 8 ? b.bits(96 + j, 0, 4) : b.bits(88 + j, 4, 4);
      int scale = (low | b.bits(104 + j % 4, j / 4 * 2, 2) << 4) - 32;
      int q = b.bits(32 + i / 128 * 32 + i % 32, i % 128 / 32 * 2, 2);
      y[at + i] = d * scale * (q - (b.bits(i % 32, i / 32, 1) == 1 ? 0 : 4));
    }
  }

  private static void q4k(Block b, double[] y, int at) {
    float d = b.half(0);
    float min = b.half(2);
    for (int i = 0; i < 256; i++) {
      int q = b.bits(16 + i / 64 * 32 + i % 32, i % 64 / 32 * 4, 4);
      y[at + i] = d * b.sixBits(i / 32, 0) * q - min * b.sixBits(i / 32, 4);
    }
  }

  private static void q5k(Block b, double[] y, int at) {
    float d = b.half(0);
    float min = b.half(2);
    for (int i = 0; i < 256; i++) {
      int low = b.bits(48 + i / 64 * 32 + i % 32, i % 64 / 32 * 4, 4);
      int q = low | b.bits(16 + i % 32, i / 32, 1) << 4;
      y[at + i] = d * b.sixBits(i / 32, 0) * q - min * b.sixBits(i / 32, 4);
    }
  }

  private static void q6k(Block b, double[] y, int at) {
    float d = b.half(208);
    for (int i = 0; i < 256; i++) {
      int r = i % 128;
      int low = b.bits(i / 128 * 64 + r % 64, r / 64 * 4, 4);
      int high = b.bits(128 + i / 128 * 32 + r % 32, r / 32 * 2, 2);
      y[at + i] = d * b.signed(192 + i / 16) * ((low | high << 4) - 32);
    }
  }

  private static void iq4xs(Block b, double[] y, int at) {
    float d = b.half(0);
    for (int i = 0; i < 256; i++) {
      int j = i / 32;
      int scale = (b.bits(4 + j / 2, j % 2 * 4, 4) | b.bits(2 + j / 4, j % 4 * 2, 2) << 4) - 32;
      y[at + i] = d * scale * LEVELS[b.nibble(8 + j * 16, i % 32)];
    }
  }

  /** Bytes of one block. */
  private record Block(MemorySegment memory, long begin) {
    int signed(int at) {
      return memory.get(ValueLayout.JAVA_BYTE, begin + at);
    }

    int unsigned(int at) {
      return signed(at) & 0xff;
    }

    int bits(int at, int shift, int width) {
      return unsigned(at) >> shift & (1 << width) - 1;
    }

    float half(int at) {
      return Float.float16ToFloat(memory.get(ValueLayout.JAVA_SHORT_UNALIGNED, begin + at));
    }

    /** Element i of 32 in 16 bytes: the low nibbles come first. */
    int nibble(int at, int i) {
      return bits(at + i % 16, i / 16 * 4, 4);
    }

    /** Scale (from 0) or minimum (from 4) j of 8 in the twelve bytes from 4 on, six bits each. */
    int sixBits(int j, int from) {
      if (j < 4) {
        return unsigned(4 + from + j) & 63;
      }
      return bits(8 + j, from, 4) | unsigned(from + j) >> 6 << 4;
    }
  }
}
