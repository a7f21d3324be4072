package org.llm4msr.model.training;

import java.util.List;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.metrics.MetricsReport;

/**
 * A model's probabilities for some rows of a data set.
 *
 * @param rows numbers of the rows in the data set, ascending
 * @param probabilities in [0, 1], one per row
 */
public record Predictions(Dataset dataset, int[] rows, double[] probabilities) {
  /** Metrics overall and per scenario. */
  public MetricsReport metrics() {
    byte[] labels = new byte[rows.length];
    int[] users = new int[rows.length];
    int[] scenarios = new int[rows.length];
    for (int i = 0; i < rows.length; i++) {
      labels[i] = (byte) dataset.label(rows[i]);
      users[i] = dataset.user(rows[i]);
      scenarios[i] = dataset.scenario(rows[i]);
    }
    List<String> names = dataset.scenarios().stream().map(Scenario::name).toList();
    return MetricsReport.of(probabilities, labels, users, scenarios, names);
  }
}
