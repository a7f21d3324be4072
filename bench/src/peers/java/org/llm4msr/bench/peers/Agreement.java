package org.llm4msr.bench.peers;

/** Whether two engines compute the same: times of others would compare nothing. */
final class Agreement {
  private Agreement() {}

  /**
   * Prints the largest difference of vectors {@code [prompts][width]}.
   *
   * @throws IllegalStateException if it is larger than the tolerance, or not a number
   */
  static void check(String what, float[][] ours, float[][] theirs, double tolerance) {
    double largest = 0;
    for (int p = 0; p < ours.length; p++) {
      for (int i = 0; i < ours[p].length; i++) {
        // Math.max keeps what is not a number.
        largest = Math.max(largest, Math.abs((double) ours[p][i] - theirs[p][i]));
      }
    }
    System.out.printf("%s: largest difference %.2g%n", what, largest);
    if (!(largest <= tolerance)) {
      throw new IllegalStateException(what + " differs by more than " + tolerance);
    }
  }
}
