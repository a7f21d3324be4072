package org.llm4msr.model.training;

import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
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
  /** The rows among these that {@code wanted} accepts. */
  public Predictions where(IntPredicate wanted) {
    int[] positions = IntStream.range(0, rows.length).filter(i -> wanted.test(rows[i])).toArray();
    int[] kept = new int[positions.length];
    double[] keptProbabilities = new double[positions.length];
    for (int i = 0; i < positions.length; i++) {
      kept[i] = rows[positions[i]];
      keptProbabilities[i] = probabilities[positions[i]];
    }
    return new Predictions(dataset, kept, keptProbabilities);
  }

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
