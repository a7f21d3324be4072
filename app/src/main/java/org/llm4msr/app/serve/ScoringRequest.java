package org.llm4msr.app.serve;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What one request asks: {@code {"user": key, "scenario": name, "items": [keys], "context": {field:
 * value}, "logits": [number…], "top": K}}, the last three if wanted. A value is a string, a number,
 * an array of these, or null.
 *
 * @param user null for somebody unknown
 * @param context values of the features that the request says about itself, each in text; none for
 *     unknown
 * @param logits of an existing recommender, one for each item; null without
 * @param top how many ranked items are wanted; 0 for all
 */
public record ScoringRequest(
    String user,
    String scenario,
    List<String> items,
    Map<String, List<String>> context,
    float[] logits,
    int top) {
  private static final Set<String> FIELDS =
      Set.of("user", "scenario", "items", "context", "logits", "top");

  /**
   * Reads a request.
   *
   * @param where begins the message of an error
   * @param mostItems more are refused
   * @throws UserError that names the field and what was expected
   */
  public static ScoringRequest read(String json, String where, int mostItems) {
    return new Reader(StrictJson.object(json, where), where).read(mostItems);
  }

  private record Reader(ObjectNode object, String where) {
    ScoringRequest read(int mostItems) {
      for (String name : object.propertyNames()) {
        if (!FIELDS.contains(name)) {
          throw error(
              FileErrors.printable(name),
              "unknown field; there are user, scenario, items, context, logits and top");
        }
      }
      if (!object.has("user")) {
        throw error("user", "missing, expected the user's key, or null for somebody unknown");
      }
      String user = object.get("user").isNull() ? null : key("user", object.get("user"));
      JsonNode scenario = object.path("scenario");
      if (!scenario.isString()) {
        throw error("scenario", "expected the scenario's name, a string");
      }
      List<String> items = items(mostItems);
      return new ScoringRequest(
          user, scenario.stringValue(), items, context(), logits(items.size()), top());
    }

    private List<String> items(int mostItems) {
      JsonNode array = object.path("items");
      if (!array.isArray()) {
        throw error("items", "expected an array of keys");
      }
      if (array.size() > mostItems) {
        throw error("items", "holds " + array.size() + ", expected at most " + mostItems);
      }
      List<String> items = new ArrayList<>(array.size());
      for (JsonNode item : array) {
        items.add(key("items[" + items.size() + "]", item));
      }
      return items;
    }

    private Map<String, List<String>> context() {
      JsonNode given = object.path("context");
      if (given.isMissingNode()) {
        return Map.of();
      }
      if (!given.isObject()) {
        throw error("context", "expected an object {field: value}");
      }
      Map<String, List<String>> context = new LinkedHashMap<>();
      for (Map.Entry<String, JsonNode> entry : given.properties()) {
        String name = "context." + FileErrors.printable(entry.getKey());
        context.put(entry.getKey(), values(name, entry.getValue()));
      }
      return context;
    }

    private List<String> values(String name, JsonNode given) {
      if (given.isNull()) {
        return List.of();
      }
      if (!given.isArray()) {
        return List.of(value(name, given));
      }
      List<String> values = new ArrayList<>(given.size());
      for (JsonNode value : given) {
        values.add(value(name + "[" + values.size() + "]", value));
      }
      return values;
    }

    private String value(String name, JsonNode given) {
      if (given.isString()) {
        return given.stringValue();
      }
      if (given.isNumber()) {
        return given.asString();
      }
      throw error(name, "expected a string, a number, an array of these, or null");
    }

    private float[] logits(int items) {
      JsonNode given = object.path("logits");
      if (given.isMissingNode()) {
        return null;
      }
      if (!given.isArray() || given.size() != items) {
        throw error("logits", "expected an array of numbers, one for each of " + items + " items");
      }
      float[] logits = new float[items];
      for (int i = 0; i < items; i++) {
        JsonNode logit = given.get(i);
        logits[i] = logit.isNumber() ? (float) logit.doubleValue() : Float.NaN;
        if (!Float.isFinite(logits[i])) {
          throw error("logits[" + i + "]", "expected a finite number");
        }
      }
      return logits;
    }

    private int top() {
      JsonNode given = object.path("top");
      if (given.isMissingNode()) {
        return 0;
      }
      if (!given.isIntegralNumber() || !given.canConvertToInt() || given.intValue() < 1) {
        throw error("top", "expected a whole number from 1");
      }
      return given.intValue();
    }

    /** Keys of a log are texts; many logs count them. */
    private String key(String field, JsonNode node) {
      if (node.isString()) {
        return node.stringValue();
      }
      if (node.isIntegralNumber()) {
        return node.asString();
      }
      throw error(field, "expected a string or a whole number");
    }

    private UserError error(String field, String problem) {
      return new UserError(where + ": " + field + ": " + problem);
    }
  }
}
