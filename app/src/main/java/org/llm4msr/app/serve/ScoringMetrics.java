package org.llm4msr.app.serve;

import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/** Counts what the service does, and prints it in Prometheus' text format 0.0.4. */
final class ScoringMetrics {
  private static final double[] BOUNDS_SECONDS = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1
  };

  private final Map<String, LongAdder> replies = new ConcurrentSkipListMap<>();
  private final Map<String, Latency> latencies = new ConcurrentHashMap<>();
  private final LongAdder items = new LongAdder();
  private final LongAdder unknownUsers = new LongAdder();
  private final LongAdder unknownItems = new LongAdder();

  private static final class Latency {
    final LongAdder[] counts = new LongAdder[BOUNDS_SECONDS.length + 1];
    final LongAdder nanos = new LongAdder();

    Latency() {
      for (int i = 0; i < counts.length; i++) {
        counts[i] = new LongAdder();
      }
    }
  }

  /**
   * Counts a reply.
   *
   * @param path one that the service knows, so that clients cannot make up series
   */
  void replied(String path, int status) {
    String labels = "path=\"" + path + "\",status=\"" + status + "\"";
    replies.computeIfAbsent(labels, key -> new LongAdder()).increment();
  }

  /** Counts a scored request, from its body's arrival on. */
  void scored(String scenario, long latencyNanos, RequestScorer.Scores scores) {
    Latency latency = latencies.computeIfAbsent(scenario, key -> new Latency());
    int bucket = 0;
    while (bucket < BOUNDS_SECONDS.length && latencyNanos * 1e-9 > BOUNDS_SECONDS[bucket]) {
      bucket++;
    }
    latency.counts[bucket].increment();
    latency.nanos.add(latencyNanos);
    items.add(scores.probabilities().length);
    unknownItems.add(scores.unknownItems());
    if (scores.unknownUser()) {
      unknownUsers.increment();
    }
  }

  String print(ScorerPool.Served served, int inFlight) {
    StringBuilder text = new StringBuilder();
    head(text, "llm4msr_http_replies_total", "counter", "Replies by path and status.");
    replies.forEach((labels, count) ->
        sample(text, "llm4msr_http_replies_total", labels, Long.toString(count.sum())));
    head(text, "llm4msr_scoring_seconds", "histogram", "From a request's body to its answer.");
    latencies.forEach((scenario, latency) -> print(text, scenario, latency));
    single(text, "llm4msr_items_total", "counter", "Items scored.", items.sum());
    single(
        text,
        "llm4msr_unknown_users_total",
        "counter",
        "Requests of users that the snapshot does not know.",
        unknownUsers.sum());
    single(
        text,
        "llm4msr_unknown_items_total",
        "counter",
        "Scored items that the snapshot does not know.",
        unknownItems.sum());
    single(text, "llm4msr_requests_in_flight", "gauge", "Requests in work.", inFlight);
    single(
        text,
        "llm4msr_snapshot_generation",
        "gauge",
        "Snapshots served since the start.",
        served.generation());
    single(
        text,
        "llm4msr_snapshot_loaded_timestamp_seconds",
        "gauge",
        "When the snapshot was loaded.",
        served.loaded().getEpochSecond());
    return text.toString();
  }

  private static void print(StringBuilder text, String scenario, Latency latency) {
    String label = "scenario=\"" + escaped(scenario) + "\"";
    long count = 0;
    for (int i = 0; i <= BOUNDS_SECONDS.length; i++) {
      count += latency.counts[i].sum();
      String bound =
          i == BOUNDS_SECONDS.length ? "+Inf" : String.format(Locale.ROOT, "%s", BOUNDS_SECONDS[i]);
      sample(
          text,
          "llm4msr_scoring_seconds_bucket",
          label + ",le=\"" + bound + "\"",
          Long.toString(count));
    }
    sample(
        text,
        "llm4msr_scoring_seconds_sum",
        label,
        String.format(Locale.ROOT, "%.9f", latency.nanos.sum() * 1e-9));
    sample(text, "llm4msr_scoring_seconds_count", label, Long.toString(count));
  }

  private static void single(
      StringBuilder text, String name, String type, String help, long value) {
    head(text, name, type, help);
    text.append(name).append(' ').append(value).append('\n');
  }

  private static void head(StringBuilder text, String name, String type, String help) {
    text.append("# HELP ").append(name).append(' ').append(help).append('\n');
    text.append("# TYPE ").append(name).append(' ').append(type).append('\n');
  }

  private static void sample(StringBuilder text, String name, String labels, String value) {
    text.append(name).append('{').append(labels).append("} ").append(value).append('\n');
  }

  private static String escaped(String label) {
    return label.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
  }
}
