package org.llm4msr.app.demo;

import java.util.Random;

/** Draws from weighted lists. Uses {@link Random} because its sequence is fixed by its contract. */
final class Draw {
  private Draw() {}

  /** An index drawn in proportion to {@code weights}, which are not negative and not all zero. */
  static int index(Random random, double[] weights) {
    return fromCumulative(random, cumulative(weights));
  }

  /** Running sums of {@code weights}. */
  static double[] cumulative(double[] weights) {
    double[] sums = new double[weights.length];
    double sum = 0;
    for (int i = 0; i < weights.length; i++) {
      sum += weights[i];
      sums[i] = sum;
    }
    return sums;
  }

  /** An index drawn from running sums; entries that add nothing are never drawn. */
  static int fromCumulative(Random random, double[] sums) {
    double target = random.nextDouble() * sums[sums.length - 1];
    int low = 0;
    int high = sums.length - 1;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (sums[middle] > target) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
}
