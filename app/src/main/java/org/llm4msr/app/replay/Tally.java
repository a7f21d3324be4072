package org.llm4msr.app.replay;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import org.apache.commons.math3.stat.descriptive.rank.Percentile;

/** Gathers what is measured of the requests of one scenario, or of all. */
final class Tally {
  private final Map<Measure, ClusteredMean> means = new EnumMap<>(Measure.class);
  private double[] micros = new double[64];
  private double[] otherMicros = new double[64];
  private int timed;
  private int otherTimed;
  private long requests;
  private long items;
  private long unknownUsers;
  private long unknownItems;

  Tally() {
    for (Measure measure : Measure.values()) {
      means.put(measure, new ClusteredMean());
    }
  }

  void request(int itemCount, boolean unknownUser, int unknownItemCount) {
    requests++;
    items += itemCount;
    unknownUsers += unknownUser ? 1 : 0;
    unknownItems += unknownItemCount;
  }

  /**
   * @param user whose values are not independent of each other
   */
  void add(Measure measure, String user, double value) {
    means.get(measure).add(user, value);
  }

  void latency(double of, double other) {
    if (!Double.isNaN(of)) {
      if (timed == micros.length) {
        micros = Arrays.copyOf(micros, 2 * timed);
      }
      micros[timed++] = of;
    }
    if (!Double.isNaN(other)) {
      if (otherTimed == otherMicros.length) {
        otherMicros = Arrays.copyOf(otherMicros, 2 * otherTimed);
      }
      otherMicros[otherTimed++] = other;
    }
  }

  ReplayResult.Part part(String name) {
    Map<Measure, Interval> intervals = new EnumMap<>(Measure.class);
    means.forEach((measure, mean) -> intervals.put(measure, mean.interval()));
    return new ReplayResult.Part(
        name,
        requests,
        items,
        unknownUsers,
        unknownItems,
        intervals,
        percentiles(micros, timed),
        percentiles(otherMicros, otherTimed));
  }

  /** By nearest rank. */
  private static ReplayResult.Latency percentiles(double[] values, int count) {
    Percentile percentile = new Percentile().withEstimationType(Percentile.EstimationType.R_1);
    percentile.setData(values, 0, count);
    return new ReplayResult.Latency(percentile.evaluate(50), percentile.evaluate(99));
  }
}
