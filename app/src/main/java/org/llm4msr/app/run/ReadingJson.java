package org.llm4msr.app.run;

import java.util.List;
import java.util.Locale;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.model.training.ModelReading.CurvePoint;
import org.llm4msr.model.training.ModelReading.Fusion;
import org.llm4msr.model.training.ModelReading.Importance;
import org.llm4msr.model.training.ModelReading.Loss;
import org.llm4msr.model.training.ModelReading.Spread;
import org.llm4msr.model.training.ModelReading.UserSpread;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** What a model leans on as JSON; figures that are undefined are left out. */
public final class ReadingJson {
  private ReadingJson() {}

  /**
   * @param scenarios in the order of the distances
   */
  public static ObjectNode of(ModelReading reading, List<String> scenarios) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    root.put("permutations", reading.repeats());
    ArrayNode parts = root.putArray("parts");
    reading
        .parts()
        .forEach(part ->
            put(
                parts.addObject().put("name", part.name()).put("rows", part.rows()),
                "auc",
                part.auc()));
    ArrayNode importances = root.putArray("importances");
    for (Importance importance : reading.importances()) {
      ObjectNode node = importances.addObject();
      node.put("input", importance.input().name().toLowerCase(Locale.ROOT));
      node.put("name", importance.name());
      ArrayNode losses = node.putArray("auc_losses");
      for (Loss loss : importance.losses()) {
        ObjectNode ofPart = losses.addObject();
        put(ofPart, "mean", loss.mean());
        put(ofPart, "deviation", loss.deviation());
      }
    }
    if (reading.fusion() != null) {
      fusion(root.putObject("weight_of_knowledge"), reading.fusion());
    }
    ObjectNode distances = root.putObject("scenario_distances");
    for (int s = 0; s < reading.scenarioDistances().length; s++) {
      ObjectNode row = distances.putObject(scenarios.get(s));
      for (int other = 0; other < scenarios.size(); other++) {
        row.put(scenarios.get(other), reading.scenarioDistances()[s][other]);
      }
    }
    UserSpread users = reading.users();
    if (users != null) {
      put(root.putObject("user_distances").put("users", users.users()), users.distances());
    }
    return root;
  }

  private static void fusion(ObjectNode node, Fusion fusion) {
    node.put("per_row", fusion.perRow());
    ArrayNode means = node.putArray("means");
    for (double mean : fusion.means()) {
      if (Double.isFinite(mean)) {
        means.add(mean);
      } else {
        means.addNull();
      }
    }
    ArrayNode spreads = node.putArray("spreads");
    fusion.spreads().forEach(spread -> put(spreads.addObject(), spread));
    ArrayNode curve = node.putArray("curve");
    for (CurvePoint point : fusion.curve()) {
      ObjectNode at = curve.addObject().put("user_rows", point.userRows());
      at.put("new_item", point.newItem()).put("known_item", point.knownItem());
    }
  }

  private static void put(ObjectNode node, Spread spread) {
    put(node, "low", spread.low());
    put(node, "lower_quarter", spread.lowerQuarter());
    put(node, "median", spread.median());
    put(node, "upper_quarter", spread.upperQuarter());
    put(node, "high", spread.high());
  }

  private static void put(ObjectNode node, String name, double value) {
    if (Double.isFinite(value)) {
      node.put(name, value);
    }
  }
}
