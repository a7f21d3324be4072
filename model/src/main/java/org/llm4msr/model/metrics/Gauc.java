package org.llm4msr.model.metrics;

import java.util.Arrays;

/**
 * Grouped AUC: the mean of each user's own AUC, so that differences between users count for nothing
 * (Zhu et al., "Optimized Cost per Click in Taobao Display Advertising", KDD 2017). Users whose
 * rows hold one class only are skipped; all three means are NaN if that leaves none.
 *
 * @param byImpressions weighted by the users' rows, the usual form
 * @param byClicks weighted by the users' positive rows
 * @param unweighted each user counts once
 * @param users how many users had both classes
 */
public record Gauc(double byImpressions, double byClicks, double unweighted, int users) {

  /**
   * @param scores any increasing function of the probability, [rows]
   * @param labels 0 or 1, [rows]
   * @param userIds who each row belongs to, any integers, [rows]
   * @throws IllegalArgumentException if the lengths differ, a score is NaN or a label is not 0 or 1
   */
  public static Gauc of(double[] scores, byte[] labels, int[] userIds) {
    Checks.rows(scores, labels);
    Checks.sameLength("user ids", userIds.length, scores.length);
    long[] rowsByUser = new long[userIds.length];
    for (int row = 0; row < userIds.length; row++) {
      rowsByUser[row] = (long) userIds[row] << 32 | row;
    }
    Arrays.sort(rowsByUser);

    double[] positives = new double[16];
    double[] negatives = new double[16];
    double impressionSum = 0;
    double clickSum = 0;
    double plainSum = 0;
    long impressions = 0;
    long clicks = 0;
    int users = 0;
    int start = 0;
    while (start < rowsByUser.length) {
      int user = (int) (rowsByUser[start] >> 32);
      int p = 0;
      int n = 0;
      int end = start;
      for (; end < rowsByUser.length && (int) (rowsByUser[end] >> 32) == user; end++) {
        int row = (int) rowsByUser[end];
        if (labels[row] == 1) {
          positives = withRoom(positives, p);
          positives[p++] = scores[row];
        } else {
          negatives = withRoom(negatives, n);
          negatives[n++] = scores[row];
        }
      }
      if (p > 0 && n > 0) {
        double auc = Auc.ofClasses(positives, p, negatives, n);
        int rows = end - start;
        impressionSum += auc * rows;
        clickSum += auc * p;
        plainSum += auc;
        impressions += rows;
        clicks += p;
        users++;
      }
      start = end;
    }
    // With no users left these are 0 / 0, which is the NaN that "undefined" means.
    return new Gauc(impressionSum / impressions, clickSum / clicks, plainSum / users, users);
  }

  private static double[] withRoom(double[] array, int used) {
    return used < array.length ? array : Arrays.copyOf(array, used * 2);
  }
}
