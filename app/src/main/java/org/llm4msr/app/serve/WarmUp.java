package org.llm4msr.app.serve;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Requests of nobody for nothing known, from a body's bytes to an answer's, so that the first real
 * ones find code compiled and scorers made.
 */
final class WarmUp {
  private static final int REQUESTS = 500;
  private static final int ITEMS = 100;
  private static final long MOST_NANOS = TimeUnit.SECONDS.toNanos(1);

  private WarmUp() {}

  static void run(ScorerPool pool) throws InterruptedException {
    List<String> scenarios = pool.served().snapshot().scenarios();
    byte[][] bodies = scenarios.stream().map(s -> body(pool, s)).toArray(byte[][]::new);
    long endNanos = System.nanoTime() + MOST_NANOS;
    for (int i = 0; i < REQUESTS && System.nanoTime() < endNanos; i++) {
      ScoringRequest request =
          MessageForm.JSON.read(bodies[i % bodies.length], "warming up", ITEMS);
      try (ScorerPool.Lease lease = pool.borrow(0)) {
        if (lease != null) {
          RequestScorer.Scores scores = lease.scorer().score(request, "warming up");
          MessageForm.JSON.scored(scores, lease.generation());
          MessageForm.JSON.ranked(scores, request, lease.generation());
        }
      }
    }
  }

  private static byte[] body(ScorerPool pool, String scenario) {
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    body.putNull("user");
    body.put("scenario", scenario);
    ArrayNode items = body.putArray("items");
    ArrayNode logits = pool.served().snapshot().needsLogits() ? body.putArray("logits") : null;
    for (int i = 0; i < ITEMS; i++) {
      items.add(i);
      if (logits != null) {
        logits.add(0.5);
      }
    }
    return body.toString().getBytes(StandardCharsets.UTF_8);
  }
}
