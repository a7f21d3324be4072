package org.llm4msr.model.training;

import java.util.Arrays;
import java.util.List;

/**
 * What a trained model leans on, measured on a sample of rows. Undefined figures (the AUC of one
 * class) are NaN.
 *
 * @param repeats permutations behind every importance
 * @param parts the sample as a whole, its scenarios, and its users by their training rows
 * @param importances what each input is worth
 * @param fusion null where the model weighs nothing
 * @param scenarioDistances between the layers generated for each two scenarios, {@code [scenarios,
 *     scenarios]}; empty where that level is off
 * @param users how much the layers generated for users differ; null where that level is off
 */
public record ModelReading(
    int repeats,
    List<Part> parts,
    List<Importance> importances,
    Fusion fusion,
    double[][] scenarioDistances,
    UserSpread users) {

  /** What was permuted. */
  public enum Input {
    FIELD,
    /** What an existing recommender says, its logit or its representation. */
    EXTERNAL,
    /** Users exchange their vectors. */
    USER_KNOWLEDGE,
    /** Scenarios exchange their vectors; none keeps its own. */
    SCENARIO_KNOWLEDGE
  }

  /**
   * Some rows of the sample.
   *
   * @param auc of the model as it is
   */
  public record Part(String name, int rows, double auc) {}

  /**
   * What the AUC loses when an input is permuted.
   *
   * @param name of the field, or in words
   * @param losses in the order of the parts
   */
  public record Importance(Input input, String name, List<Loss> losses) {}

  /**
   * @param mean over the permutations; above 0 if the input helps
   * @param deviation standard deviation over the permutations
   */
  public record Loss(double mean, double deviation) {}

  /**
   * The weight of knowledge: what the scenario level's logit is multiplied with.
   *
   * @param perRow whether it differs from row to row
   * @param means in the order of the parts
   * @param spreads of each part's rows, in the same order; empty where all rows have the same
   *     weight
   * @param curve over the evidence, for {@code evidence}; else empty
   */
  public record Fusion(
      boolean perRow, List<Double> means, List<Spread> spreads, List<CurvePoint> curve) {}

  /**
   * How numbers lie.
   *
   * @param low their 10th percentile
   * @param lowerQuarter their 25th
   * @param median their 50th
   * @param upperQuarter their 75th
   * @param high their 90th
   */
  public record Spread(
      double low, double lowerQuarter, double median, double upperQuarter, double high) {
    /** The nearest of the numbers for each percentile; not a number where there are none. */
    static Spread of(double[] numbers) {
      double[] sorted = numbers.clone();
      Arrays.sort(sorted);
      return new Spread(
          at(sorted, 0.1), at(sorted, 0.25), at(sorted, 0.5), at(sorted, 0.75), at(sorted, 0.9));
    }

    private static double at(double[] sorted, double share) {
      return sorted.length == 0
          ? Double.NaN
          : sorted[(int) Math.round(share * (sorted.length - 1))];
    }
  }

  /**
   * @param userRows training rows of the user in the scenario
   * @param newItem weight beside an item without a training row
   * @param knownItem beside an item with {@link ModelReader#KNOWN_ITEM_ROWS}
   */
  public record CurvePoint(int userRows, double newItem, double knownItem) {}

  /**
   * Distances between the layers of each two of some users.
   *
   * @param users how many
   */
  public record UserSpread(int users, Spread distances) {}
}
