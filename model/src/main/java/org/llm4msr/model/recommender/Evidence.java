package org.llm4msr.model.recommender;

/**
 * How much the training rows say about a row's user and item in its scenario, as {@code log(1 +
 * count)}. A training row does not count itself: otherwise no training row would look as cold as
 * the cold rows that the model is asked about later.
 */
public final class Evidence {
  /** Rows of the user in this scenario, and of the item in this scenario. */
  public static final int FEATURES = 2;

  private Evidence() {}

  /**
   * @param count training rows of the user or item in the scenario
   * @param counted whether the row in question is one of them
   */
  public static float feature(int count, boolean counted) {
    return (float) Math.log1p(Math.max(0, count - (counted ? 1 : 0)));
  }
}
