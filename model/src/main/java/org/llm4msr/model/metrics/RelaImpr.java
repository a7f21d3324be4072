package org.llm4msr.model.metrics;

/**
 * Relative improvement of an AUC over a base's, both measured from the 0.5 of a random guess (Yan
 * et al., "Coupled Group Lasso for Web-Scale CTR Prediction in Display Advertising", ICML 2014).
 */
public final class RelaImpr {
  private RelaImpr() {}

  /**
   * ((auc - 0.5) / (baseAuc - 0.5) - 1) * 100.
   *
   * @return NaN if either is undefined or the base is no better than a guess (exactly 0.5)
   */
  public static double percent(double auc, double baseAuc) {
    return baseAuc == 0.5 ? Double.NaN : ((auc - 0.5) / (baseAuc - 0.5) - 1) * 100;
  }
}
