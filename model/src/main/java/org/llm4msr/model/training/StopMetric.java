package org.llm4msr.model.training;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.metrics.MetricsReport;
import org.llm4msr.runtime.UserError;

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

  /**
   * Refuses validation rows on which this metric is undefined: it could not tell which weights are
   * the best.
   *
   * @param scenario whose rows alone count; empty for all
   * @throws UserError if there are no such rows, if they lack one of the labels where an AUC is
   *     asked for, or if there is no such scenario
   */
  void requireDefined(Dataset dataset, String scenario) {
    int only = scenario.isEmpty() ? -1 : RowWeights.scenario(dataset, scenario);
    int[][] rows = new int[dataset.scenarios().size()][2];
    for (int row = 0; row < dataset.rows(); row++) {
      if (dataset.split(row) == Split.VALID && (only < 0 || dataset.scenario(row) == only)) {
        rows[dataset.scenario(row)][dataset.label(row)]++;
      }
    }
    int negatives = Arrays.stream(rows).mapToInt(labels -> labels[0]).sum();
    int positives = Arrays.stream(rows).mapToInt(labels -> labels[1]).sum();
    String otherwise = only < 0 ? "" : " or take another --stop-scenario";
    if (negatives + positives == 0) {
      throw new UserError(
          "%s: %sno validation rows, which decide which weights are kept; change the split%s"
              .formatted(
                  dataset.name(), only < 0 ? "" : "scenario " + scenario + " has ", otherwise));
    }
    if (this == LOGLOSS) {
      return;
    }
    if (negatives == 0 || positives == 0) {
      throw new UserError(
          "%s: the validation rows%s all have label %d, so their AUC, which decides which weights are kept, is undefined; change the split%s, or use --stop-metric logloss"
              .formatted(
                  dataset.name(),
                  only < 0 ? "" : " of scenario " + scenario,
                  positives == 0 ? 0 : 1,
                  otherwise));
    }
    if (this == SCENARIO_AUC
        && Arrays.stream(rows).noneMatch(labels -> labels[0] > 0 && labels[1] > 0)) {
      throw new UserError(
          "%s: no scenario has validation rows of both labels, so the mean of the scenarios' AUCs, which decides which weights are kept, is undefined; change the split, or use --stop-metric auc or logloss"
              .formatted(dataset.name()));
    }
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
