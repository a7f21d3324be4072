package org.llm4msr.app.serve;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Timer;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import java.util.stream.IntStream;

/** Counts what the service does, for Prometheus. */
final class ScoringMetrics {
  private static final Duration[] BOUNDS =
      IntStream.of(100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000)
          .mapToObj(micros -> Duration.of(micros, ChronoUnit.MICROS))
          .toArray(Duration[]::new);

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final Counter items = counter("llm4msr.items", "Items scored.");
  private final Counter unknownUsers =
      counter("llm4msr.unknown.users", "Requests of users that the snapshot does not know.");
  private final Counter unknownItems =
      counter("llm4msr.unknown.items", "Scored items that the snapshot does not know.");

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
    Timer.builder("llm4msr.scoring")
        .description("From a request's body to its answer.")
        .tag("scenario", scenario)
        .serviceLevelObjectives(BOUNDS)
        .register(registry)
        .record(latencyNanos, TimeUnit.NANOSECONDS);
    items.increment(scores.probabilities().length);
    unknownItems.increment(scores.unknownItems());
    if (scores.unknownUser()) {
      unknownUsers.increment();
    }
  }

  /** Everything in Prometheus' text format 0.0.4. */
  String print() {
    return registry.scrape();
  }
}
