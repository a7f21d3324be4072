package org.llm4msr.model.metrics;

/** Mean binary cross-entropy of probabilities, in nats. */
public final class LogLoss {
  /** Single-precision probabilities near 1 are no finer than this. */
  public static final double DEFAULT_CLIP = 1e-7;

  private LogLoss() {}

  /**
   * Mean of -(y ln p + (1 - y) ln(1 - p)).
   *
   * @param probabilities in [0, 1], [rows]
   * @param labels 0 or 1, [rows]
   * @param clip probabilities are clipped to [clip, 1 - clip]; 0 &lt;= clip &lt; 0.5
   * @return NaN for no rows
   * @throws IllegalArgumentException if the lengths differ, a probability lies outside [0, 1], a
   *     label is not 0 or 1 or the clip is out of range
   */
  public static double of(double[] probabilities, byte[] labels, double clip) {
    Checks.rows(probabilities, labels);
    if (!(clip >= 0 && clip < 0.5)) {
      throw new IllegalArgumentException("clip is " + clip + ", expected 0 <= clip < 0.5");
    }
    double sum = 0;
    for (int row = 0; row < labels.length; row++) {
      double probability = probabilities[row];
      if (probability < 0 || probability > 1) {
        throw new IllegalArgumentException(
            "probability of row " + row + " is " + probability + ", expected 0 to 1");
      }
      double clipped = Math.clamp(probability, clip, 1 - clip);
      sum -= Math.log(labels[row] == 1 ? clipped : 1 - clipped);
    }
    return labels.length == 0 ? Double.NaN : sum / labels.length;
  }
}
