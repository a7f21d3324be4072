package org.llm4msr.app.replay;

import java.util.HashMap;
import java.util.Map;
import org.apache.commons.math3.distribution.TDistribution;

/**
 * A mean of values that come in clusters, such as those of one user, with a 95 % interval that does
 * not count a cluster's values as independent: {@code var = G / (G - 1) sum_g (sum_i (x_gi -
 * mean))^2 / n^2} (Liang and Zeger 1986), Student's t with G - 1 degrees of freedom. Where each
 * cluster has one value, that is the usual interval.
 */
final class ClusteredMean {
  /** Sum and count of a cluster's values. */
  private static final class Cluster {
    private double sum;
    private long count;
  }

  private final Map<String, Cluster> clusters = new HashMap<>();
  private double sum;
  private long count;

  /** Leaves out what is not a number. */
  void add(String cluster, double value) {
    if (Double.isNaN(value)) {
      return;
    }
    Cluster of = clusters.computeIfAbsent(cluster, key -> new Cluster());
    of.sum += value;
    of.count++;
    sum += value;
    count++;
  }

  /** NaN where undefined. */
  Interval interval() {
    double mean = count == 0 ? Double.NaN : sum / count;
    int g = clusters.size();
    if (g < 2) {
      return new Interval(mean, Double.NaN, Double.NaN, count);
    }
    double squares = 0;
    for (Cluster cluster : clusters.values()) {
      double residual = cluster.sum - cluster.count * mean;
      squares += residual * residual;
    }
    double error = Math.sqrt((double) g / (g - 1) * squares) / count;
    double half = new TDistribution(g - 1.0).inverseCumulativeProbability(0.975) * error;
    return new Interval(mean, mean - half, mean + half, count);
  }
}
