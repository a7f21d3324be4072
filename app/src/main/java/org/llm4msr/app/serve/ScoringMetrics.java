package org.llm4msr.app.serve;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.distribution.CountAtBucket;
import io.micrometer.core.instrument.distribution.HistogramSnapshot;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import java.util.stream.IntStream;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Counts what the service does, for Prometheus. */
final class ScoringMetrics {
  private static final int[] BOUND_MICROS = {
    50, 100, 150, 200, 300, 500, 750, 1_000, 1_500, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000,
    250_000, 500_000, 1_000_000
  };
  private static final Duration[] BOUNDS =
      IntStream.of(BOUND_MICROS)
          .mapToObj(micros -> Duration.of(micros, ChronoUnit.MICROS))
          .toArray(Duration[]::new);

  private static final int SCORE_BUCKETS = 20;
  private static final float SCORE_SCALE = SCORE_BUCKETS;
  private static final double NANOS_PER_SECOND = 1e9;

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final Counter items = counter("llm4msr.items", "Items scored.");
  private final Counter unknownUsers =
      counter("llm4msr.unknown.users", "Requests of users that the snapshot does not know.");
  private final Counter unknownItems =
      counter("llm4msr.unknown.items", "Scored items that the snapshot does not know.");

  private final Map<String, ScenarioMeters> scenarios = new ConcurrentHashMap<>();

  /**
   * @param inFlight how many requests are in work
   */
  ScoringMetrics(ScorerPool pool, IntSupplier inFlight) {
    Gauge.builder("llm4msr.requests.in.flight", inFlight::getAsInt)
        .description("Requests in work.")
        .register(registry);
    Gauge.builder("llm4msr.snapshot.generation", () -> pool.served().generation())
        .description("Snapshots served since the start.")
        .register(registry);
    Gauge.builder(
            "llm4msr.snapshot.loaded.timestamp", () -> pool.served().loaded().getEpochSecond())
        .baseUnit("seconds")
        .description("When the snapshot was loaded.")
        .register(registry);
  }

  private Counter counter(String name, String description) {
    return Counter.builder(name).description(description).register(registry);
  }

  /**
   * Counts a reply.
   *
   * @param path one that the service knows, so that clients cannot make up series
   */
  void replied(String path, int status) {
    Counter.builder("llm4msr.http.replies")
        .description("Replies by path and status.")
        .tags("path", path, "status", Integer.toString(status))
        .register(registry)
        .increment();
  }

  /** Counts a scored request, from its body's arrival on. */
  void scored(String scenario, long latencyNanos, RequestScorer.Scores scores) {
    ScenarioMeters meters = scenarios.computeIfAbsent(scenario, ScenarioMeters::new);
    meters.latency.record(latencyNanos, TimeUnit.NANOSECONDS);
    meters.count(scores.probabilities());
    items.increment(scores.probabilities().length);
    unknownItems.increment(scores.unknownItems());
    if (scores.unknownUser()) {
      unknownUsers.increment();
    }
  }

  /** What is counted of a scenario. */
  private final class ScenarioMeters {
    final Timer latency;
    final Counter[] scores = new Counter[SCORE_BUCKETS];

    ScenarioMeters(String scenario) {
      latency =
          Timer.builder("llm4msr.scoring")
              .description("From a request's body to its answer.")
              .tag("scenario", scenario)
              .serviceLevelObjectives(BOUNDS)
              .register(registry);
      for (int bucket = 0; bucket < SCORE_BUCKETS; bucket++) {
        scores[bucket] =
            Counter.builder("llm4msr.scores")
                .description("Items by their probability, in twentieths.")
                .tags(
                    "scenario",
                    scenario,
                    "from",
                    String.format(Locale.ROOT, "%.2f", bucket / SCORE_SCALE))
                .register(registry);
      }
    }

    /** One addition for each bucket; a meter fed item by item costs more than scoring does. */
    void count(float[] probabilities) {
      int[] counts = new int[SCORE_BUCKETS];
      for (float probability : probabilities) {
        counts[Math.min((int) (probability * SCORE_SCALE), SCORE_BUCKETS - 1)]++;
      }
      for (int bucket = 0; bucket < SCORE_BUCKETS; bucket++) {
        if (counts[bucket] > 0) {
          scores[bucket].increment(counts[bucket]);
        }
      }
    }
  }

  /**
   * Counts since the start: {@code {"latency_bounds": [seconds], "scenarios": [{"scenario": name,
   * "requests": n, "seconds": sum, "latency": [n of each bound, and above], "scores": [n of each
   * twentieth]}]}}.
   */
  ObjectNode toJson(List<String> names) {
    ObjectNode answer = JsonNodeFactory.instance.objectNode();
    ArrayNode bounds = answer.putArray("latency_bounds");
    for (Duration bound : BOUNDS) {
      bounds.add(bound.toNanos() / NANOS_PER_SECOND);
    }
    ArrayNode array = answer.putArray("scenarios");
    for (String name : names) {
      ScenarioMeters meters = scenarios.computeIfAbsent(name, ScenarioMeters::new);
      HistogramSnapshot latency = meters.latency.takeSnapshot();
      ObjectNode scenario = array.addObject();
      scenario.put("scenario", name);
      scenario.put("requests", latency.count());
      scenario.put("seconds", latency.total(TimeUnit.SECONDS));
      ArrayNode counts = scenario.putArray("latency");
      long below = 0;
      for (CountAtBucket bucket : latency.histogramCounts()) {
        counts.add((long) bucket.count() - below);
        below = (long) bucket.count();
      }
      // Requests may be counted meanwhile.
      counts.add(Math.max(0, latency.count() - below));
      ArrayNode scores = scenario.putArray("scores");
      for (Counter counter : meters.scores) {
        scores.add((long) counter.count());
      }
    }
    return answer;
  }

  /** Everything in Prometheus' text format 0.0.4. */
  String print() {
    return registry.scrape();
  }
}
