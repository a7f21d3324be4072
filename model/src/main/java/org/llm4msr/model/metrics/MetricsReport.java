package org.llm4msr.model.metrics;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * The measures of one model on one set of rows, overall and per scenario.
 *
 * @param overall over all rows
 * @param scenarios by scenario name, in the order of the names given; a scenario without rows has 0
 *     rows and NaN elsewhere
 */
public record MetricsReport(Values overall, Map<String, Values> scenarios) {

  /**
   * @param logLoss with {@link LogLoss#DEFAULT_CLIP}
   * @param gauc weighted by impressions
   * @param calibrationError with {@link CalibrationError#DEFAULT_BINS}
   */
  public record Values(
      double auc, double logLoss, double gauc, double calibrationError, long rows) {
    private static Values of(double[] probabilities, byte[] labels, int[] userIds) {
      return new Values(
          Auc.of(probabilities, labels),
          LogLoss.of(probabilities, labels, LogLoss.DEFAULT_CLIP),
          Gauc.of(probabilities, labels, userIds).byImpressions(),
          CalibrationError.of(probabilities, labels, CalibrationError.DEFAULT_BINS),
          labels.length);
    }

    /** {"auc", "logloss", "gauc", "calibration_error", "rows"}, without what is undefined. */
    public ObjectNode toJson() {
      ObjectNode node = JsonNodeFactory.instance.objectNode();
      putDefined(node, "auc", auc);
      putDefined(node, "logloss", logLoss);
      putDefined(node, "gauc", gauc);
      putDefined(node, "calibration_error", calibrationError);
      return node.put("rows", rows);
    }

    private static void putDefined(ObjectNode node, String name, double value) {
      if (Double.isFinite(value)) {
        node.put(name, value);
      }
    }
  }

  /**
   * Measures all rows and each scenario's.
   *
   * @param probabilities in [0, 1], [rows]
   * @param labels 0 or 1, [rows]
   * @param userIds any integers, [rows]
   * @param scenarioIds indices into {@code scenarioNames}, [rows]
   * @throws IllegalArgumentException as {@link LogLoss#of} and {@link Gauc#of} say, or if a
   *     scenario id is no index of a name
   */
  public static MetricsReport of(
      double[] probabilities,
      byte[] labels,
      int[] userIds,
      int[] scenarioIds,
      List<String> scenarioNames) {
    Values overall = Values.of(probabilities, labels, userIds);
    Checks.sameLength("scenario ids", scenarioIds.length, probabilities.length);
    int[] rowCounts = new int[scenarioNames.size()];
    for (int scenario : scenarioIds) {
      if (scenario < 0 || scenario >= rowCounts.length) {
        throw new IllegalArgumentException(
            "scenario id " + scenario + " with " + rowCounts.length + " scenario names");
      }
      rowCounts[scenario]++;
    }
    List<Rows> rows = new ArrayList<>();
    for (int count : rowCounts) {
      rows.add(new Rows(count));
    }
    for (int row = 0; row < scenarioIds.length; row++) {
      rows.get(scenarioIds[row]).add(probabilities[row], labels[row], userIds[row]);
    }
    Map<String, Values> scenarios = new LinkedHashMap<>();
    for (int scenario = 0; scenario < rowCounts.length; scenario++) {
      Rows own = rows.get(scenario);
      scenarios.put(
          scenarioNames.get(scenario), Values.of(own.probabilities, own.labels, own.userIds));
    }
    return new MetricsReport(overall, scenarios);
  }

  /** {"overall": {"auc", "logloss", "gauc", "rows"}, "scenarios": {name: {…}}}. */
  public ObjectNode toJson() {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.set("overall", overall.toJson());
    ObjectNode byName = node.putObject("scenarios");
    scenarios.forEach((name, values) -> byName.set(name, values.toJson()));
    return node;
  }

  private static final class Rows {
    final double[] probabilities;
    final byte[] labels;
    final int[] userIds;
    private int size;

    Rows(int count) {
      probabilities = new double[count];
      labels = new byte[count];
      userIds = new int[count];
    }

    void add(double probability, byte label, int userId) {
      probabilities[size] = probability;
      labels[size] = label;
      userIds[size++] = userId;
    }
  }
}
