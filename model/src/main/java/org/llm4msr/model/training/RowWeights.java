package org.llm4msr.model.training;

import java.util.Map;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;
import org.llm4msr.runtime.UserError;

/**
 * How much the training rows count.
 *
 * @param positive weight of rows with label 1; the others have 1
 * @param scenarios weight of a scenario's rows, by its name; those that are not named have 1
 * @param balanced whether an epoch draws equally many rows of every scenario
 */
public record RowWeights(double positive, Map<String, Double> scenarios, boolean balanced) {
  /** Every row counts alike. */
  public static final RowWeights EQUAL = new RowWeights(1, Map.of(), false);

  public RowWeights {
    scenarios = Map.copyOf(scenarios);
    if (!isWeight(positive) || !scenarios.values().stream().allMatch(RowWeights::isWeight)) {
      throw new IllegalArgumentException("weights of rows are numbers of 0 or more");
    }
  }

  private static boolean isWeight(double weight) {
    return weight >= 0 && weight < Double.POSITIVE_INFINITY;
  }

  /** Whether the loss needs weights. */
  boolean isWeighted() {
    return positive != 1 || !scenarios.isEmpty();
  }

  /**
   * The weights by scenario and label: {@code [2 s + label]}.
   *
   * @throws UserError if the data lack a scenario that is named, or no training row has a weight
   *     above 0
   */
  float[] table(Dataset dataset) {
    for (String name : scenarios.keySet()) {
      scenario(dataset, name);
    }
    float[] table = new float[2 * dataset.scenarios().size()];
    for (int s = 0; s < dataset.scenarios().size(); s++) {
      double weight = scenarios.getOrDefault(dataset.scenarios().get(s).name(), 1.0);
      table[2 * s] = (float) weight;
      table[2 * s + 1] = (float) (weight * positive);
    }
    for (int row = 0; row < dataset.rows(); row++) {
      if (dataset.split(row) == Split.TRAIN
          && table[2 * dataset.scenario(row) + dataset.label(row)] > 0) {
        return table;
      }
    }
    throw new UserError(
        dataset.name()
            + ": every training row has weight 0, so there is nothing to learn from; give"
            + " --scenario-weight or --positive-weight more than 0 for some of them");
  }

  /**
   * The index of the scenario with this name.
   *
   * @throws UserError if there is none
   */
  static int scenario(Dataset dataset, String name) {
    for (int s = 0; s < dataset.scenarios().size(); s++) {
      if (dataset.scenarios().get(s).name().equals(name)) {
        return s;
      }
    }
    throw new UserError(
        "%s: no scenario '%s'; there are %s"
            .formatted(
                dataset.name(),
                name,
                String.join(
                    ", ", dataset.scenarios().stream().map(scenario -> scenario.name()).toList())));
  }
}
