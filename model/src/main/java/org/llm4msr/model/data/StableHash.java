package org.llm4msr.model.data;

/**
 * Hashes and random numbers that are the same on every machine, in every Java version and whatever
 * the order of the rows.
 */
public final class StableHash {
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;
  private static final long FNV_OFFSET = 0xCBF29CE484222325L;
  private static final long FNV_PRIME = 0x100000001B3L;

  private StableHash() {}

  /**
   * The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output
   * bit.
   */
  static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** Combines a hash with one more value; the order matters. */
  public static long combine(long hash, long value) {
    return mix(hash * GOLDEN_GAMMA + value + GOLDEN_GAMMA);
  }

  /** FNV-1a over the UTF-16 code units, finished by {@link #mix}. */
  public static long of(String text) {
    long hash = FNV_OFFSET;
    for (int i = 0; i < text.length(); i++) {
      hash = (hash ^ text.charAt(i)) * FNV_PRIME;
    }
    return mix(hash);
  }

  /** A number in [0, 1) from the upper 53 bits. */
  static double unit(long hash) {
    return (hash >>> 11) * 0x1.0p-53;
  }

  /** A number in [0, bound) by multiplication (Lemire 2019, without the rejection step). */
  static int bounded(long hash, int bound) {
    return (int) (((hash >>> 32) * bound) >>> 32);
  }

  /** Shuffles in place (Fisher-Yates) with a SplitMix64 generator started at {@code seed}. */
  public static void shuffle(int[] values, long seed) {
    long state = mix(seed);
    for (int i = values.length - 1; i > 0; i--) {
      state += GOLDEN_GAMMA;
      int j = bounded(mix(state), i + 1);
      int swapped = values[i];
      values[i] = values[j];
      values[j] = swapped;
    }
  }
}
