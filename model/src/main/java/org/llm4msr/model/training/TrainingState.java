package org.llm4msr.model.training;

import java.util.ArrayList;
import java.util.List;

/** Where training stands, apart from the tensors. */
final class TrainingState {
  /** Optimiser steps so far. */
  long step;

  /** Epochs completed. */
  int epoch;

  /** Rows of the current epoch that were trained on. */
  int position;

  /** Of the rows trained on since the last evaluation: sum of their losses, and their number. */
  double lossSum;

  long lossRows;

  /** Seconds of training since the last evaluation. */
  double seconds;

  /** Index into the history of the best weights' evaluation, -1 before there is one. */
  int best = -1;

  final List<HistoryEntry> history = new ArrayList<>();

  /** Evaluations since the best one. */
  int withoutImprovement() {
    return history.size() - 1 - best;
  }
}
