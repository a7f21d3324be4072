package org.llm4msr.model.encoder;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Chooses the next token of one continuation. */
final class Sampler {
  private final GenerationOptions options;
  private final SplittableRandom random;

  /**
   * @param prompt its tokens belong to the seed, so that neighbours do not matter
   */
  Sampler(GenerationOptions options, int[] prompt) {
    this.options = options;
    this.random = new SplittableRandom(options.seed() * 31 + Arrays.hashCode(prompt));
  }

  /** The token to continue with; of equally likely ones the first. */
  int choose(float[] logits) {
    int best = 0;
    for (int token = 1; token < logits.length; token++) {
      if (logits[token] > logits[best]) {
        best = token;
      }
    }
    return options.temperature() == 0 ? best : draw(logits, logits[best]);
  }

  private int draw(float[] logits, float top) {
    double[] weights = new double[logits.length];
    double total = 0;
    for (int token = 0; token < logits.length; token++) {
      weights[token] = Math.exp((logits[token] - top) / options.temperature());
      total += weights[token];
    }
    int[] order = IntStream.range(0, logits.length).toArray();
    double mass = total;
    if (options.topP() < 1) {
      order =
          Arrays.stream(order)
              .boxed()
              .sorted((a, b) -> Double.compare(weights[b], weights[a]))
              .mapToInt(Integer::intValue)
              .toArray();
      mass = 0;
      int kept = 0;
      while (kept < order.length && mass < options.topP() * total) {
        mass += weights[order[kept++]];
      }
      order = Arrays.copyOf(order, kept);
    }
    double at = random.nextDouble() * mass;
    for (int token : order) {
      at -= weights[token];
      if (at < 0) {
        return token;
      }
    }
    // Rounding left nothing of the last one.
    return order[order.length - 1];
  }
}
