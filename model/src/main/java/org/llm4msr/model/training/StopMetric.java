package org.llm4msr.model.training;

import java.util.List;

/** What decides which weights are the best: measured on the validation rows. */
public enum StopMetric {
  /** AUC over all rows. */
  AUC,
  /** Mean of the scenarios' AUCs, so that a small scenario counts as much as a large one. */
  SCENARIO_AUC,
  /** LogLoss over all rows. */
  LOGLOSS;

  /** Higher is better; NaN where the metric is undefined. */
  public double score(HistoryEntry entry) {
    return switch (this) {
      case AUC -> entry.validAuc();
      case SCENARIO_AUC -> entry.validScenarioAuc();
      case LOGLOSS -> -entry.validLogLoss();
    };
  }

  /** Index of the best evaluation, the first of equals; -1 if the metric is never defined. */
  public int best(List<HistoryEntry> history) {
    int best = -1;
    for (int i = 0; i < history.size(); i++) {
      double score = score(history.get(i));
      if (best < 0 ? !Double.isNaN(score) : score > score(history.get(best))) {
        best = i;
      }
    }
    return best;
  }
}
