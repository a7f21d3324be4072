package org.llm4msr.model.training;

import org.llm4msr.model.metrics.MetricsReport;

/** What decides which weights are the best: measured on the validation rows. */
public enum StopMetric {
  /** AUC over all rows. */
  AUC,
  /** Mean of the scenarios' AUCs, so that a small scenario counts as much as a large one. */
  SCENARIO_AUC,
  /** LogLoss over all rows. */
  LOGLOSS;

  /** Higher is better; NaN where the metric is undefined. */
  public double score(MetricsReport report) {
    return switch (this) {
      case AUC -> report.overall().auc();
      case SCENARIO_AUC ->
          report.scenarios().values().stream()
              .mapToDouble(MetricsReport.Values::auc)
              .filter(Double::isFinite)
              .average()
              .orElse(Double.NaN);
      case LOGLOSS -> -report.overall().logLoss();
    };
  }
}
