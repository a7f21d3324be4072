package org.llm4msr.app.run;

import org.llm4msr.model.training.HistoryEntry;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** A line of {@code history.jsonl}; figures that are undefined are left out. */
final class HistoryJson {
  private HistoryJson() {}

  static ObjectNode toJson(HistoryEntry entry) {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("epoch", entry.epoch()).put("step", entry.step());
    node.put("train_loss", entry.trainLoss());
    putDefined(node, "valid_auc", entry.validAuc());
    putDefined(node, "valid_scenario_auc", entry.validScenarioAuc());
    putDefined(node, "valid_logloss", entry.validLogLoss());
    putDefined(node, "score", entry.score());
    node.put("seconds", entry.seconds());
    node.put("samples_per_second", entry.samplesPerSecond());
    return node;
  }

  private static void putDefined(ObjectNode node, String name, double value) {
    if (Double.isFinite(value)) {
      node.put(name, value);
    }
  }

  static HistoryEntry parse(JsonNode node) {
    return new HistoryEntry(
        node.required("epoch").asInt(),
        node.required("step").asLong(),
        node.required("train_loss").asDouble(),
        node.path("valid_auc").asDouble(Double.NaN),
        node.path("valid_scenario_auc").asDouble(Double.NaN),
        node.path("valid_logloss").asDouble(Double.NaN),
        node.path("score").asDouble(Double.NaN),
        node.required("seconds").asDouble(),
        node.required("samples_per_second").asDouble());
  }
}
