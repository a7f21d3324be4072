package org.llm4msr.model.training;

/**
 * How the learning rate changes over the steps. It first rises linearly for {@code warmupSteps};
 * then it stays, follows a half cosine down to 0 at the last possible step (Loshchilov and Hutter
 * 2017), or is multiplied by {@code stepFactor} every {@code stepEpochs} epochs.
 */
public record LearningRateSchedule(
    Shape shape, int warmupSteps, int stepEpochs, double stepFactor) {
  /** What comes after the warm-up. */
  public enum Shape {
    CONSTANT,
    COSINE,
    STEP
  }

  /** The same rate from the first step to the last. */
  public static final LearningRateSchedule CONSTANT =
      new LearningRateSchedule(Shape.CONSTANT, 0, 1, 1);

  public LearningRateSchedule {
    if (warmupSteps < 0 || stepEpochs < 1 || !(stepFactor > 0 && stepFactor <= 1)) {
      throw new IllegalArgumentException(
          "warm-up %d steps, factor %s every %d epochs"
              .formatted(warmupSteps, stepFactor, stepEpochs));
    }
  }

  /**
   * What the rate is multiplied by.
   *
   * @param step from 1
   * @param stepsPerEpoch at least 1
   * @param epochs of the longest possible training
   */
  public double factor(long step, int stepsPerEpoch, int epochs) {
    double warm = warmupSteps == 0 ? 1 : Math.min(1, (double) step / warmupSteps);
    return warm
        * switch (shape) {
          case CONSTANT -> 1;
          case COSINE -> {
            double whole = Math.max(1, (double) stepsPerEpoch * epochs - warmupSteps);
            double done = Math.clamp((step - 1 - warmupSteps) / whole, 0, 1);
            yield (1 + Math.cos(Math.PI * done)) / 2;
          }
          case STEP -> Math.pow(stepFactor, (double) ((step - 1) / stepsPerEpoch / stepEpochs));
        };
  }
}
