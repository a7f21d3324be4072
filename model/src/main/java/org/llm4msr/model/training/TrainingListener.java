package org.llm4msr.model.training;

/** Hears how training goes, on the training thread. */
public interface TrainingListener {
  /**
   * After each step.
   *
   * @param epoch from 1
   * @param rowsDone rows of this epoch trained on so far
   * @param rows of an epoch
   * @param loss of this step's batch
   */
  default void onStep(int epoch, long rowsDone, long rows, double loss) {}

  /** After each evaluation. */
  default void onEvaluation(HistoryEntry entry, boolean best) {}
}
