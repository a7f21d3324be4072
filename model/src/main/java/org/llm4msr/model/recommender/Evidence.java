package org.llm4msr.model.recommender;

/**
 * How much the training rows say about a row's user and item in its scenario, as {@code log(1 +
 * count)}. A training row counts only rows that what it is trained against may have seen: not
 * itself, nor the fold that its logit's model left out. Otherwise no training row would look as
 * cold as the cold rows that the model is asked about later.
 */
public final class Evidence {
  /** Rows of the user in this scenario, and of the item in this scenario. */
  public static final int FEATURES = 2;

  private Evidence() {}

  /**
   * @param count training rows of the user or item in the scenario
   */
  public static float feature(int count) {
    return (float) Math.log1p(count);
  }
}
