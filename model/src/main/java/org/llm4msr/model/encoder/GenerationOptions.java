package org.llm4msr.model.encoder;

/**
 * How a model continues prompts.
 *
 * @param maxNewTokens most tokens of a continuation, at least 1
 * @param temperature 0 always takes the most likely token; else logits are divided by it and a
 *     token is drawn
 * @param topP draws among the most likely tokens that together reach this probability; 1 for all
 * @param seed of the draws; the same prompt, seed and options give the same continuation, alone or
 *     among others
 * @param stop whether the tokens that end a text end a continuation
 */
public record GenerationOptions(
    int maxNewTokens, double temperature, double topP, long seed, boolean stop) {
  /** Enough for a few sentences. */
  public static final int DEFAULT_NEW_TOKENS = 128;

  public GenerationOptions {
    if (maxNewTokens < 1 || !(temperature >= 0) || !(topP > 0 && topP <= 1)) {
      throw new IllegalArgumentException(
          maxNewTokens
              + " new tokens, temperature "
              + temperature
              + ", top p "
              + topP
              + ": expected at least 1 token, a temperature from 0, top p above 0 and up to 1");
    }
  }

  /** The most likely tokens, until the text ends or {@code maxNewTokens} are there. */
  public static GenerationOptions greedy(int maxNewTokens) {
    return new GenerationOptions(maxNewTokens, 0, 1, 0, true);
  }

  /** Draws tokens. */
  public GenerationOptions withSampling(double temperature, double topP, long seed) {
    return new GenerationOptions(maxNewTokens, temperature, topP, seed, stop);
  }

  /** Goes on after a token that ends a text. */
  public GenerationOptions withoutStop() {
    return new GenerationOptions(maxNewTokens, temperature, topP, seed, false);
  }
}
