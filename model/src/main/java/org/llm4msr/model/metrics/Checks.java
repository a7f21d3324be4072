package org.llm4msr.model.metrics;

/** What every measure demands of its rows. */
final class Checks {
  private Checks() {}

  static void rows(double[] scores, byte[] labels) {
    sameLength("labels", labels.length, scores.length);
    for (int row = 0; row < labels.length; row++) {
      if (labels[row] != 0 && labels[row] != 1) {
        throw new IllegalArgumentException(
            "label of row " + row + " is " + labels[row] + ", expected 0 or 1");
      }
      if (Double.isNaN(scores[row])) {
        throw new IllegalArgumentException("score of row " + row + " is NaN");
      }
    }
  }

  static void sameLength(String what, int length, int expected) {
    if (length != expected) {
      throw new IllegalArgumentException(length + " " + what + " for " + expected + " scores");
    }
  }
}
