package org.llm4msr.app.replay;

import org.llm4msr.app.serve.ScoringRequest;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.checkpoint.StrictJson;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A line of a log: a {@link ScoringRequest}, and if wanted {@code "scores": [number…]} and {@code
 * "latency_micros": number} of the recommender that answered it, and {@code "labels": [0 or 1…]},
 * what became of each item.
 *
 * @param scores one for each item; null without
 * @param labels one for each item; null without
 * @param latencyMicros NaN without
 */
record LoggedRequest(ScoringRequest request, double[] scores, byte[] labels, double latencyMicros) {
  private static final int MOST_ITEMS = 1_000_000;

  /**
   * Reads a line.
   *
   * @param where begins the message of an error
   * @throws UserError that names the field and what was expected
   */
  static LoggedRequest read(String line, String where) {
    ObjectNode object = StrictJson.object(line, where);
    JsonNode scores = object.remove("scores");
    JsonNode labels = object.remove("labels");
    JsonNode latency = object.remove("latency_micros");
    ScoringRequest request = ScoringRequest.read(object.toString(), where, MOST_ITEMS);
    int items = request.items().size();
    double micros = Double.NaN;
    if (latency != null) {
      micros = latency.isNumber() ? latency.doubleValue() : -1;
      if (!(micros >= 0 && micros < Double.POSITIVE_INFINITY)) {
        throw error(where, "latency_micros", "expected a number from 0");
      }
    }
    return new LoggedRequest(
        request,
        scores == null ? null : numbers(scores, "scores", items, where),
        labels == null ? null : labels(labels, items, where),
        micros);
  }

  private static double[] numbers(JsonNode given, String field, int items, String where) {
    if (!given.isArray() || given.size() != items) {
      throw error(
          where, field, "expected an array of numbers, one for each of " + items + " items");
    }
    double[] numbers = new double[items];
    for (int i = 0; i < items; i++) {
      JsonNode number = given.get(i);
      numbers[i] = number.isNumber() ? number.doubleValue() : Double.NaN;
      if (!Double.isFinite(numbers[i])) {
        throw error(where, field + "[" + i + "]", "expected a finite number");
      }
    }
    return numbers;
  }

  private static byte[] labels(JsonNode given, int items, String where) {
    double[] numbers = numbers(given, "labels", items, where);
    byte[] labels = new byte[items];
    for (int i = 0; i < items; i++) {
      if (numbers[i] != 0 && numbers[i] != 1) {
        throw error(where, "labels[" + i + "]", "expected 0 or 1");
      }
      labels[i] = (byte) numbers[i];
    }
    return labels;
  }

  private static UserError error(String where, String field, String problem) {
    return new UserError(where + ": " + FileErrors.printable(field) + ": " + problem);
  }
}
