package org.llm4msr.model.scorer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.data.ValueRule;
import org.llm4msr.model.scorer.SnapshotContainer.DamagedException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The rules of a field in a snapshot's directory, so that requests are read as the log was. */
final class ValueRules {
  private static final String FIRST = "first";
  private static final String LABELS = "labels";
  private static final String LOG = "log";
  private static final String BOUNDS = "bounds";

  private ValueRules() {}

  static void write(ArrayNode to, List<ValueRule> rules) {
    for (ValueRule rule : rules) {
      ObjectNode entry = to.addObject();
      switch (rule) {
        case ValueRule.FirstElement(String separator) -> entry.put(FIRST, separator);
        case ValueRule.Labels(Map<String, String> words) ->
            words.forEach(entry.putObject(LABELS)::put);
        case ValueRule.LogBuckets() -> entry.put(LOG, 2);
        case ValueRule.BoundedBuckets(List<Double> bounds) ->
            bounds.forEach(entry.putArray(BOUNDS)::add);
      }
    }
  }

  /** Reads what {@link #write} wrote; a snapshot without rules has none. */
  static List<ValueRule> read(JsonNode from) throws DamagedException {
    List<ValueRule> rules = new ArrayList<>();
    for (JsonNode entry : from) {
      if (entry.path(FIRST).isString()) {
        rules.add(new ValueRule.FirstElement(entry.path(FIRST).stringValue()));
      } else if (entry.path(LABELS).isObject()) {
        Map<String, String> words = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> word : entry.path(LABELS).properties()) {
          words.put(word.getKey(), Snapshot.text(entry.path(LABELS), word.getKey()));
        }
        rules.add(new ValueRule.Labels(words));
      } else if (entry.path(LOG).isIntegralNumber()) {
        rules.add(new ValueRule.LogBuckets());
      } else if (entry.path(BOUNDS).isArray()) {
        List<Double> bounds = new ArrayList<>();
        entry.path(BOUNDS).forEach(bound -> bounds.add(bound.asDouble(Double.NaN)));
        rules.add(new ValueRule.BoundedBuckets(bounds));
      } else {
        throw new DamagedException("how its values are read");
      }
    }
    return List.copyOf(rules);
  }
}
