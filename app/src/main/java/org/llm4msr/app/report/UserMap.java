package org.llm4msr.app.report;

import java.util.ArrayList;
import java.util.List;

/**
 * User vectors as points in the plane of their first two principal components, each with the
 * scenario that the user frequents most for a user of this log.
 *
 * @param explained share of the vectors' variance along each of the two axes
 */
public record UserMap(List<String> scenarios, List<Point> points, double[] explained) {
  /** {@code scenario} indexes {@link #scenarios}. */
  public record Point(double x, double y, int scenario) {}

  /** More points than this say no more and make the page slow. */
  private static final int MOST_POINTS = 2_000;

  /**
   * Projects the vectors.
   *
   * <p>Most users are seen most in the largest scenario, so a user's habit is the scenario whose
   * share of the user's rows exceeds its share of all rows by the largest factor. Users without
   * rows are left out.
   *
   * @param vectors [users, width]
   * @param rows [users, scenarios], training rows per user and scenario
   * @throws IllegalArgumentException if the shapes contradict each other
   */
  public static UserMap of(float[][] vectors, long[][] rows, List<String> scenarios) {
    if (vectors.length != rows.length) {
      throw new IllegalArgumentException(
          vectors.length + " vectors, but rows of " + rows.length + " users");
    }
    double[] total = new double[scenarios.size()];
    double all = 0;
    for (long[] user : rows) {
      if (user.length != total.length) {
        throw new IllegalArgumentException("rows must have one column per scenario");
      }
      for (int s = 0; s < total.length; s++) {
        total[s] += user[s];
        all += user[s];
      }
    }
    Pca pca = Pca.of(vectors);
    int stride = Math.max(1, Math.ceilDiv(vectors.length, MOST_POINTS));
    List<Point> points = new ArrayList<>();
    for (int u = 0; u < vectors.length; u += stride) {
      int habit = habit(rows[u], total, all);
      if (habit >= 0) {
        points.add(new Point(pca.coordinate(u, 0), pca.coordinate(u, 1), habit));
      }
    }
    return new UserMap(List.copyOf(scenarios), points, pca.explained());
  }

  private static int habit(long[] user, double[] total, double all) {
    double own = 0;
    for (long count : user) {
      own += count;
    }
    int best = -1;
    double bestLift = 0;
    for (int s = 0; s < user.length; s++) {
      double lift = user[s] == 0 ? 0 : user[s] / own / (total[s] / all);
      if (lift > bestLift) {
        bestLift = lift;
        best = s;
      }
    }
    return best;
  }
}
