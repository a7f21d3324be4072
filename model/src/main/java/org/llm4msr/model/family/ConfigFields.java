package org.llm4msr.model.family;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Checked access to the fields of one JSON object; {@code null} counts as absent.
 *
 * @param where begins the message of an error
 */
record ConfigFields(String where, ObjectNode node) {

  UserError error(String key, String problem) {
    return new UserError(where + ": " + FileErrors.printable(key + " " + problem));
  }

  boolean has(String key) {
    return node.hasNonNull(key);
  }

  /** Whether the key is there with the value {@code null}, which may mean "none". */
  boolean isNull(String key) {
    return node.has(key) && !node.hasNonNull(key);
  }

  /** The object under {@code key}, or null. */
  ConfigFields object(String key) {
    if (!has(key)) {
      return null;
    }
    if (node.get(key) instanceof ObjectNode child) {
      return new ConfigFields(where + ": " + key, child);
    }
    throw error(key, "is not an object");
  }

  String string(String key, String otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    JsonNode value = node.get(key);
    if (!value.isString()) {
      throw error(key, "is " + brief(value) + ", expected a string");
    }
    return value.stringValue();
  }

  /** The strings of an array, none if it is absent. */
  List<String> strings(String key) {
    List<String> strings = new ArrayList<>();
    if (has(key)) {
      JsonNode value = node.get(key);
      if (!value.isArray() || !value.valueStream().allMatch(JsonNode::isString)) {
        throw error(key, "is " + brief(value) + ", expected an array of strings");
      }
      value.forEach(element -> strings.add(element.stringValue()));
    }
    return strings;
  }

  /** One whole number or an array of them, none if it is absent. */
  List<Integer> wholeNumbers(String key) {
    List<Integer> numbers = new ArrayList<>();
    if (has(key)) {
      JsonNode value = node.get(key);
      for (JsonNode element : value.isArray() ? value : List.of(value)) {
        if (!element.isIntegralNumber() || !element.canConvertToInt()) {
          throw error(key, "is " + brief(value) + ", expected whole numbers");
        }
        numbers.add(element.intValue());
      }
    }
    return numbers;
  }

  /** As many finite numbers above 0. */
  double[] positives(String key, int count) {
    JsonNode value = node.path(key);
    double[] numbers =
        value.valueStream().mapToDouble(n -> n.isNumber() ? n.asDouble() : 0).toArray();
    for (double number : numbers) {
      if (!(number > 0 && Double.isFinite(number))) {
        throw error(key, "holds something else than numbers above 0");
      }
    }
    if (!value.isArray() || numbers.length != count) {
      throw error(
          key,
          (has(key) ? "has " + numbers.length + " entries" : "is missing")
              + ", expected "
              + count
              + " numbers, one for each pair that turns");
    }
    return numbers;
  }

  boolean flag(String key, boolean otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    JsonNode value = node.get(key);
    if (!value.isBoolean()) {
      throw error(key, "is " + brief(value) + ", expected true or false");
    }
    return value.booleanValue();
  }

  int count(String key, int most) {
    if (!has(key)) {
      throw error(key, "is missing, expected 1 to " + most);
    }
    return count(key, most, 0);
  }

  /** A whole number from 1 to {@code most}. */
  int count(String key, int most, int otherwise) {
    int count = wholeNumber(key, otherwise);
    if (has(key) && (count < 1 || count > most)) {
      throw error(key, "is " + count + ", expected 1 to " + most);
    }
    return count;
  }

  int wholeNumber(String key, int otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    JsonNode value = node.get(key);
    if (!value.isIntegralNumber() || !value.canConvertToInt()) {
      throw error(key, "is " + brief(value) + ", expected a whole number");
    }
    return value.intValue();
  }

  double positive(String key) {
    if (!has(key)) {
      throw error(key, "is missing, expected a number above 0");
    }
    return positive(key, 0);
  }

  /** A finite number above 0. */
  double positive(String key, double otherwise) {
    if (!has(key)) {
      return otherwise;
    }
    JsonNode value = node.get(key);
    if (!value.isNumber() || !Double.isFinite(value.asDouble()) || value.asDouble() <= 0) {
      throw error(key, "is " + brief(value) + ", expected a number above 0");
    }
    return value.asDouble();
  }

  /** A number above 0, or 0 where the key is {@code null}. */
  double positiveOrNone(String key, double otherwise) {
    return isNull(key) ? 0 : positive(key, otherwise);
  }

  /** Refuses a flag whose other value the engine does not implement. */
  void require(String key, boolean expected, String reason) {
    if (flag(key, expected) != expected) {
      throw error(key, "is " + !expected + ": " + reason);
    }
  }

  void allowOnly(String... keys) {
    Set<String> allowed = Set.of(keys);
    for (String key : node.propertyNames()) {
      if (!allowed.contains(key) && has(key)) {
        throw error(key, "is not supported here");
      }
    }
  }

  private static String brief(JsonNode value) {
    String text = value.toString();
    return text.length() > 60 ? text.substring(0, 60) + "…" : text;
  }
}
