package org.llm4msr.model.training;

import java.util.List;
import org.llm4msr.model.metrics.MetricsReport;

/** What decides which weights are the best: measured on the validation rows. */
public enum StopMetric {
  /** AUC over all rows, or those of one scenario. */
  AUC,
  /** Mean of the scenarios' AUCs, so that a small scenario counts as much as a large one. */
  SCENARIO_AUC,
  /** LogLoss over all rows, or those of one scenario. */
  LOGLOSS;

  /**
   * Higher is better; NaN where the metric is undefined.
   *
   * @param scenario whose rows alone count; empty for all
   */
  double score(MetricsReport report, String scenario) {
    MetricsReport.Values rows =
        scenario.isEmpty() ? report.overall() : report.scenarios().get(scenario);
    if (rows == null) {
      return Double.NaN;
    }
    return switch (this) {
      case AUC -> rows.auc();
      case SCENARIO_AUC -> scenario.isEmpty() ? scenarioAuc(report) : rows.auc();
      case LOGLOSS -> -rows.logLoss();
    };
  }

  /** Mean over the scenarios whose AUC is defined. */
  static double scenarioAuc(MetricsReport report) {
    return report.scenarios().values().stream()
        .mapToDouble(MetricsReport.Values::auc)
        .filter(Double::isFinite)
        .average()
        .orElse(Double.NaN);
  }

  /** Index of the best evaluation, the first of equals; -1 if the metric is never defined. */
  public static int best(List<HistoryEntry> history) {
    int best = -1;
    for (int i = 0; i < history.size(); i++) {
      double score = history.get(i).score();
      if (best < 0 ? !Double.isNaN(score) : score > history.get(best).score()) {
        best = i;
      }
    }
    return best;
  }
}
