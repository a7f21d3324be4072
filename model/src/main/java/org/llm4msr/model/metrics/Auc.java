package org.llm4msr.model.metrics;

import java.util.Arrays;

/**
 * Area under the ROC curve: the probability that a random positive scores above a random negative,
 * ties counting one half (the Mann-Whitney statistic with average ranks).
 */
public final class Auc {
  private Auc() {}

  /**
   * AUC over all rows, exact up to one rounding.
   *
   * @param scores any increasing function of the probability, [rows]
   * @param labels 0 or 1, [rows]
   * @return in [0, 1]; NaN if one of the classes is absent
   * @throws IllegalArgumentException if the lengths differ, a score is NaN or a label is not 0 or 1
   */
  public static double of(double[] scores, byte[] labels) {
    Checks.rows(scores, labels);
    int positives = 0;
    for (byte label : labels) {
      positives += label;
    }
    double[] positiveScores = new double[positives];
    double[] negativeScores = new double[labels.length - positives];
    int p = 0;
    int n = 0;
    for (int row = 0; row < labels.length; row++) {
      if (labels[row] == 1) {
        positiveScores[p++] = scores[row];
      } else {
        negativeScores[n++] = scores[row];
      }
    }
    return ofClasses(positiveScores, p, negativeScores, n);
  }

  /**
   * AUC from the scores of either class; sorts the used part of both arrays in place. Sorting the
   * classes apart lets primitive arrays do: no row index has to travel with a score.
   */
  static double ofClasses(double[] positives, int p, double[] negatives, int n) {
    if (p == 0 || n == 0) {
      return Double.NaN;
    }
    Arrays.sort(positives, 0, p);
    Arrays.sort(negatives, 0, n);
    long twiceWins = 0;
    int below = 0;
    int notAbove = 0;
    for (int i = 0; i < p; i++) {
      double score = positives[i];
      while (below < n && negatives[below] < score) {
        below++;
      }
      while (notAbove < n && negatives[notAbove] <= score) {
        notAbove++;
      }
      twiceWins += (long) below + notAbove;
    }
    return twiceWins / (2.0 * p * n);
  }
}
