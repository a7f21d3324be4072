package org.llm4msr.app.run;

import java.util.Arrays;
import org.apache.commons.math3.distribution.TDistribution;
import org.apache.commons.math3.exception.MathIllegalArgumentException;
import org.apache.commons.math3.stat.descriptive.moment.Mean;
import org.apache.commons.math3.stat.descriptive.moment.StandardDeviation;
import org.apache.commons.math3.stat.inference.TTest;
import org.apache.commons.math3.stat.inference.WilcoxonSignedRankTest;

/** One figure over several seeds; paired tests between two of them. NaN where undefined. */
record Sample(double[] values) {
  /** Below this Wilcoxon's test cannot be significant. */
  static final int LEAST_FOR_WILCOXON = 6;

  private static final int MOST_FOR_EXACT = 30;

  double mean() {
    return new Mean().evaluate(values);
  }

  /** Standard deviation with n - 1; NaN for one value. */
  double deviation() {
    return values.length < 2 ? Double.NaN : new StandardDeviation().evaluate(values);
  }

  /** These less the others, pair by pair. */
  Sample minus(Sample other) {
    double[] differences = new double[values.length];
    Arrays.setAll(differences, i -> values[i] - other.values[i]);
    return new Sample(differences);
  }

  /** Lower end of the mean's 95 % interval by Student's t; NaN for one value. */
  double low() {
    return mean() - halfInterval();
  }

  /** Upper end, see {@link #low}. */
  double high() {
    return mean() + halfInterval();
  }

  private double halfInterval() {
    int n = values.length;
    if (n < 2) {
      return Double.NaN;
    }
    double quantile = new TDistribution(n - 1.0).inverseCumulativeProbability(0.975);
    return quantile * deviation() / Math.sqrt(n);
  }

  private boolean isTestable() {
    return values.length >= 2
        && Arrays.stream(values).allMatch(Double::isFinite)
        && Arrays.stream(values).distinct().count() > 1;
  }

  /** Two-sided p-value of the paired t-test that the mean of these differences is 0. */
  double tTest() {
    if (!isTestable()) {
      return Double.NaN;
    }
    return new TTest().tTest(0, values);
  }

  /** Two-sided p-value of Wilcoxon's signed-rank test on these differences. */
  double wilcoxon() {
    if (!isTestable() || values.length < LEAST_FOR_WILCOXON) {
      return Double.NaN;
    }
    try {
      return new WilcoxonSignedRankTest()
          .wilcoxonSignedRankTest(
              values, new double[values.length], values.length <= MOST_FOR_EXACT);
    } catch (MathIllegalArgumentException e) {
      return Double.NaN;
    }
  }
}
