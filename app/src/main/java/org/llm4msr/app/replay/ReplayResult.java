package org.llm4msr.app.replay;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * How a snapshot's answers to logged requests differ from another's.
 *
 * @param snapshot its file
 * @param other the other's file, or {@code logged scores}
 * @param top how many first items are compared
 * @param parts the scenarios in the order of the snapshot, then all of them
 */
public record ReplayResult(String snapshot, String other, String log, int top, List<Part> parts) {
  /** Name of the part of all requests. */
  public static final String ALL = "all scenarios";

  /**
   * Requests of a scenario, or all.
   *
   * @param unknownUsers requests of users that the snapshot does not know
   * @param unknownItems items that it does not know
   * @param latency of the snapshot
   * @param otherLatency of the other
   */
  public record Part(
      String name,
      long requests,
      long items,
      long unknownUsers,
      long unknownItems,
      Map<Measure, Interval> measures,
      Latency latency,
      Latency otherLatency) {}

  /** Percentiles in microseconds; NaN where nothing was measured. */
  public record Latency(double p50, double p99) {}

  /** All requests. */
  public Part all() {
    return parts.getLast();
  }

  /** Everything; what is undefined is left out. */
  public ObjectNode toJson() {
    ObjectNode node = JsonNodeFactory.instance.objectNode();
    node.put("snapshot", snapshot).put("against", other).put("log", log).put("top", top);
    ObjectNode byName = node.putObject("scenarios");
    for (Part part : parts) {
      fill(part == all() ? node.putObject("all") : byName.putObject(part.name()), part);
    }
    return node;
  }

  private static void fill(ObjectNode node, Part part) {
    node.put("requests", part.requests()).put("items", part.items());
    node.put("unknown_users", part.unknownUsers()).put("unknown_items", part.unknownItems());
    part.measures()
        .forEach((measure, interval) -> {
          ObjectNode entry = node.putObject(measure.name().toLowerCase(Locale.ROOT));
          put(entry, "mean", interval.mean());
          put(entry, "low", interval.low());
          put(entry, "high", interval.high());
          entry.put("requests", interval.requests());
        });
    latency(node.putObject("latency_micros"), part.latency());
    latency(node.putObject("against_latency_micros"), part.otherLatency());
  }

  private static void latency(ObjectNode node, Latency latency) {
    put(node, "p50", latency.p50());
    put(node, "p99", latency.p99());
  }

  private static void put(ObjectNode node, String name, double value) {
    if (Double.isFinite(value)) {
      node.put(name, value);
    }
  }

  /** A line for each scenario and measure; what is undefined is empty. */
  public String toCsv() {
    StringBuilder csv = new StringBuilder("scenario,measure,mean,low,high,requests\n");
    for (Part part : parts) {
      part.measures()
          .forEach((measure, interval) ->
              line(csv, part.name(), measure.name().toLowerCase(Locale.ROOT), interval));
    }
    return csv.toString();
  }

  private static void line(StringBuilder csv, String name, String measure, Interval interval) {
    csv.append('"').append(name.replace("\"", "\"\"")).append("\",").append(measure);
    for (double value : new double[] {interval.mean(), interval.low(), interval.high()}) {
      csv.append(',').append(Double.isNaN(value) ? "" : Double.toString(value));
    }
    csv.append(',').append(interval.requests()).append('\n');
  }
}
