package org.llm4msr.bench.encoding;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Prompts of random tokens.
 *
 * @param prompts how many are encoded at once
 * @param tokens of each
 */
public record EncodingWorkload(int prompts, int tokens) {
  private static final long SEED = 4;

  /** From text such as {@code 8x128}. */
  public static EncodingWorkload parse(String shape) {
    int cross = shape.indexOf('x');
    return new EncodingWorkload(
        Integer.parseInt(shape.substring(0, cross)), Integer.parseInt(shape.substring(cross + 1)));
  }

  /** Tokens in all. */
  public int totalTokens() {
    return prompts * tokens;
  }

  public List<int[]> tokenIds() {
    SplittableRandom random = new SplittableRandom(SEED);
    return IntStream.range(0, prompts)
        .mapToObj(prompt -> random.ints(tokens, 0, RandomCheckpoint.VOCABULARY).toArray())
        .toList();
  }
}
