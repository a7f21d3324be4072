package org.llm4msr.model.training;

import org.llm4msr.model.recommender.OptimizerConfig;

/**
 * How a model is trained.
 *
 * @param seed of the parameters' start and of the order of the rows
 * @param batchSize rows of a mini-batch
 * @param maxEpochs epochs at most
 * @param patience evaluations without improvement after which training stops; 0 never stops early
 * @param stopMetric which weights are the best
 * @param evaluateEverySteps steps between evaluations; 0 evaluates at the end of each epoch
 * @param checkpointEverySteps steps between checkpoints within an epoch; 0 for none. The end of an
 *     epoch always makes one.
 * @param stopScenario name of the scenario whose rows alone the stop metric looks at; empty for all
 */
public record TrainingConfig(
    long seed,
    int batchSize,
    int maxEpochs,
    int patience,
    StopMetric stopMetric,
    int evaluateEverySteps,
    int checkpointEverySteps,
    OptimizerConfig optimizer,
    LearningRateSchedule schedule,
    RowWeights rowWeights,
    String stopScenario) {
  /** A constant learning rate, every row and scenario alike. */
  public TrainingConfig(
      long seed,
      int batchSize,
      int maxEpochs,
      int patience,
      StopMetric stopMetric,
      int evaluateEverySteps,
      int checkpointEverySteps,
      OptimizerConfig optimizer) {
    this(
        seed,
        batchSize,
        maxEpochs,
        patience,
        stopMetric,
        evaluateEverySteps,
        checkpointEverySteps,
        optimizer,
        LearningRateSchedule.CONSTANT,
        RowWeights.EQUAL,
        "");
  }

  public TrainingConfig {
    if (batchSize < 1
        || maxEpochs < 1
        || patience < 0
        || evaluateEverySteps < 0
        || checkpointEverySteps < 0) {
      throw new IllegalArgumentException(
          "batch size %d, epochs %d, patience %d, evaluation every %d, checkpoint every %d steps"
              .formatted(batchSize, maxEpochs, patience, evaluateEverySteps, checkpointEverySteps));
    }
  }

  /** The same training with another optimiser. */
  public TrainingConfig withOptimizer(OptimizerConfig other) {
    return new TrainingConfig(
        seed,
        batchSize,
        maxEpochs,
        patience,
        stopMetric,
        evaluateEverySteps,
        checkpointEverySteps,
        other,
        schedule,
        rowWeights,
        stopScenario);
  }

  /** The same training for other epochs at most. */
  public TrainingConfig withMaxEpochs(int epochs) {
    return new TrainingConfig(
        seed,
        batchSize,
        epochs,
        patience,
        stopMetric,
        evaluateEverySteps,
        checkpointEverySteps,
        optimizer,
        schedule,
        rowWeights,
        stopScenario);
  }
}
