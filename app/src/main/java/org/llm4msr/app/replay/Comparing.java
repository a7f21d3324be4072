package org.llm4msr.app.replay;

import java.util.Comparator;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.commons.math3.stat.correlation.KendallsCorrelation;
import org.llm4msr.model.metrics.Auc;

/** Two answers to one request. NaN where undefined. */
final class Comparing {
  private Comparing() {}

  /** Positions of the best items, best first; among equals the earlier one. */
  private static int[] first(double[] scores, int top) {
    return IntStream.range(0, scores.length)
        .boxed()
        .sorted(Comparator.comparing(i -> -scores[i]))
        .limit(top)
        .mapToInt(Integer::intValue)
        .toArray();
  }

  static double meanDifference(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] - b[i];
    }
    return sum / a.length;
  }

  static double meanDistance(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += Math.abs(a[i] - b[i]);
    }
    return sum / a.length;
  }

  /** Kendall's tau-b. */
  static double rankCorrelation(double[] a, double[] b) {
    return a.length < 2 ? Double.NaN : new KendallsCorrelation().correlation(a, b);
  }

  /** Of the first {@code top} items of each, or of all where there are fewer. */
  static double topShare(double[] a, double[] b, int top) {
    if (a.length == 0) {
      return Double.NaN;
    }
    Set<Integer> firstOfA = new HashSet<>();
    for (int position : first(a, top)) {
      firstOfA.add(position);
    }
    int common = 0;
    for (int position : first(b, top)) {
      common += firstOfA.contains(position) ? 1 : 0;
    }
    return (double) common / firstOfA.size();
  }

  static double aucDifference(double[] a, double[] b, byte[] labels) {
    return labels == null ? Double.NaN : Auc.of(a, labels) - Auc.of(b, labels);
  }
}
