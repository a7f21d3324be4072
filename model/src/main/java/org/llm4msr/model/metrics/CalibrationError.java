package org.llm4msr.model.metrics;

import java.util.Arrays;

/**
 * Expected calibration error: how far predicted probabilities lie from observed frequencies. Rows
 * sorted by probability are cut into bins of equal size; the result is the mean over rows of |mean
 * probability - share of positives| of the row's bin (Naeini et al., AAAI 2015, with the equal-mass
 * bins of Nguyen and O'Connor, EMNLP 2015).
 */
public final class CalibrationError {
  /** Customary number of bins. */
  public static final int DEFAULT_BINS = 10;

  private CalibrationError() {}

  /**
   * @param probabilities in [0, 1], [rows]
   * @param labels 0 or 1, [rows]
   * @param bins at least 1; with fewer rows than bins each row is a bin of its own
   * @return in [0, 1]; NaN for no rows
   * @throws IllegalArgumentException if the lengths differ, a label is not 0 or 1, a probability
   *     lies outside [0, 1], or there is no bin
   */
  public static double of(double[] probabilities, byte[] labels, int bins) {
    Checks.rows(probabilities, labels);
    if (bins < 1) {
      throw new IllegalArgumentException("bins are " + bins + ", expected at least 1");
    }
    // A probability's bits rise with it, so that a primitive sort does: the last bit, worth 1e-16,
    // carries the row's label.
    int rows = labels.length;
    long[] sorted = new long[rows];
    for (int row = 0; row < rows; row++) {
      double probability = probabilities[row] + 0.0;
      if (probability < 0 || probability > 1) {
        throw new IllegalArgumentException(
            "probability of row " + row + " is " + probability + ", expected 0 to 1");
      }
      sorted[row] = Double.doubleToRawLongBits(probability) & ~1L | labels[row];
    }
    Arrays.sort(sorted);
    double error = 0;
    for (int bin = 0; bin < bins; bin++) {
      int end = (int) ((long) rows * (bin + 1) / bins);
      double difference = 0;
      for (int i = (int) ((long) rows * bin / bins); i < end; i++) {
        difference += Double.longBitsToDouble(sorted[i] & ~1L) - (sorted[i] & 1);
      }
      error += Math.abs(difference);
    }
    return rows == 0 ? Double.NaN : error / rows;
  }
}
