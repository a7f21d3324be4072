package org.llm4msr.runtime.backend.reference;

/**
 * Working arrays shared by all kernels of a backend, which run one at a time. Each use names a
 * slot; a slot grows to the largest size asked for, so that a plan allocates nothing once it has
 * run at its largest extents. Contents are whatever the last user left.
 */
final class Scratch {
  private static final int SLOTS = 12;

  private final double[][] doubles = new double[SLOTS][0];
  private final int[][] ints = new int[SLOTS][0];
  private long[] longs = new long[0];

  double[] doubles(int slot, long size) {
    if (doubles[slot].length < size) {
      doubles[slot] = new double[Math.toIntExact(size)];
    }
    return doubles[slot];
  }

  int[] ints(int slot, long size) {
    if (ints[slot].length < size) {
      ints[slot] = new int[Math.toIntExact(size)];
    }
    return ints[slot];
  }

  long[] longs(long size) {
    if (longs.length < size) {
      longs = new long[Math.toIntExact(size)];
    }
    return longs;
  }
}
