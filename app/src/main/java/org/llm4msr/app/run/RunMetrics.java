package org.llm4msr.app.run;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.IntPredicate;
import org.llm4msr.app.data.ResultParts;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.metrics.MetricsReport;
import org.llm4msr.model.metrics.MetricsReport.Values;
import org.llm4msr.model.training.Predictions;
import org.llm4msr.runtime.UserError;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a run is measured by; {@code metrics.json} of a run directory.
 *
 * @param report on the test rows, overall and per scenario
 * @param slices parts of the test rows that say more about knowledge than the whole, by name
 */
public record RunMetrics(MetricsReport report, Map<String, Values> slices) {
  /** Measures predictions. */
  public static RunMetrics of(Predictions predictions) {
    Dataset dataset = predictions.dataset();
    int[] ofUser = dataset.trainRowsPerUser();
    int[] ofItem = dataset.trainRowsPerItem();
    int sparsest = sparsest(dataset);
    Map<String, IntPredicate> wanted = new LinkedHashMap<>();
    wanted.put(ResultParts.THIN_USERS, row -> ofUser[dataset.user(row)] < ResultParts.THIN_ROWS);
    wanted.put(ResultParts.COLD_USERS, row -> ofUser[dataset.user(row)] == 0);
    wanted.put(ResultParts.COLD_ITEMS, row -> ofItem[dataset.item(row)] == 0);
    wanted.put(ResultParts.SPARSEST_SCENARIO, row -> dataset.scenario(row) == sparsest);
    Map<String, Values> slices = new LinkedHashMap<>();
    wanted.forEach((name, rows) -> slices.put(name, predictions.where(rows).metrics().overall()));
    return new RunMetrics(predictions.metrics(), slices);
  }

  /** The scenario with the fewest training rows, the first of several. */
  static int sparsest(Dataset dataset) {
    int[] rows = new int[dataset.scenarios().size()];
    for (int row = 0; row < dataset.rows(); row++) {
      rows[dataset.scenario(row)] += dataset.split(row) == Split.TRAIN ? 1 : 0;
    }
    int least = 0;
    for (int scenario = 1; scenario < rows.length; scenario++) {
      least = rows[scenario] < rows[least] ? scenario : least;
    }
    return least;
  }

  /** {"overall": …, "scenarios": {name: …}, "slices": {name: …}}. */
  public ObjectNode toJson() {
    ObjectNode node = report.toJson();
    ObjectNode byName = node.putObject("slices");
    slices.forEach((name, values) -> byName.set(name, values.toJson()));
    return node;
  }

  /**
   * Reads a {@code metrics.json}.
   *
   * @throws UserError if it is missing or was not written by {@link #toJson}
   */
  static RunMetrics read(Path file) {
    FileErrors.requireFile(file);
    try {
      JsonNode node = JsonMapper.shared().readTree(file);
      return new RunMetrics(
          new MetricsReport(values(node.required("overall")), map(node.required("scenarios"))),
          map(node.required("slices")));
    } catch (JacksonException e) {
      throw new UserError(file + ": not a run's metrics: " + e.getOriginalMessage(), e);
    }
  }

  private static Map<String, Values> map(JsonNode node) {
    Map<String, Values> values = new LinkedHashMap<>();
    node.properties().forEach(entry -> values.put(entry.getKey(), values(entry.getValue())));
    return values;
  }

  private static Values values(JsonNode node) {
    return new Values(
        node.path("auc").asDouble(Double.NaN),
        node.path("logloss").asDouble(Double.NaN),
        node.path("gauc").asDouble(Double.NaN),
        node.path("calibration_error").asDouble(Double.NaN),
        node.required("rows").asLong());
  }

  /** The parts in the order of tables: overall, scenarios, slices. */
  public Map<String, Values> parts() {
    Map<String, Values> parts = new LinkedHashMap<>();
    parts.put(ResultParts.OVERALL, report.overall());
    parts.putAll(report.scenarios());
    parts.putAll(slices);
    return parts;
  }
}
