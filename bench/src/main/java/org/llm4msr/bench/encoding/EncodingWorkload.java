package org.llm4msr.bench.encoding;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.llm4msr.runtime.UserError;

/**
 * Prompts of random tokens.
 *
 * @param prompts how many are encoded at once
 * @param tokens of each
 * @param shared how many of them all prompts begin with
 */
public record EncodingWorkload(int prompts, int tokens, int shared) {
  private static final long SEED = 4;

  /**
   * From text such as {@code 8x128}, or {@code 200x200/150} with 150 shared tokens.
   *
   * @throws UserError if it is of another form
   */
  public static EncodingWorkload parse(String shape) {
    if (!shape.matches("[1-9]\\d{0,5}x[1-9]\\d{0,5}(/\\d{1,6})?")) {
      throw new UserError("'" + shape + "' is not of the form PROMPTSxTOKENS, such as 8x128");
    }
    String[] parts = shape.split("[x/]");
    return new EncodingWorkload(
        Integer.parseInt(parts[0]),
        Integer.parseInt(parts[1]),
        parts.length > 2 ? Integer.parseInt(parts[2]) : 0);
  }

  /** Tokens in all. */
  public int totalTokens() {
    return prompts * tokens;
  }

  public List<int[]> tokenIds() {
    SplittableRandom random = new SplittableRandom(SEED);
    int[] beginning = random.ints(shared, 0, RandomCheckpoint.VOCABULARY).toArray();
    return IntStream.range(0, prompts)
        .mapToObj(prompt ->
            IntStream.concat(
                    Arrays.stream(beginning),
                    random.ints(tokens - shared, 0, RandomCheckpoint.VOCABULARY))
                .toArray())
        .toList();
  }
}
