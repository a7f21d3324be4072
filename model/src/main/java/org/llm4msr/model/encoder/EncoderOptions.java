package org.llm4msr.model.encoder;

/**
 * How an encoder runs; the vectors do not depend on it beyond rounding, except for the pooling.
 *
 * @param backend a backend's name, or null for the best one that is available
 * @param threads at least 1
 * @param maxTokensPerBatch how many tokens are computed together; a longer prompt gets a batch of
 *     its own
 */
public record EncoderOptions(String backend, int threads, int maxTokensPerBatch, Pooling pooling) {
  /** Enough rows for the matrix products to run at full speed, few enough to stay in the caches. */
  public static final int DEFAULT_TOKENS_PER_BATCH = 2048;

  public EncoderOptions {
    if (threads < 1 || maxTokensPerBatch < 1) {
      throw new IllegalArgumentException(
          threads + " threads, " + maxTokensPerBatch + " tokens per batch: expected 1 or more");
    }
  }

  /** The best backend, all processors, {@link Pooling#LAST_PROMPT}. */
  public static EncoderOptions defaults() {
    return new EncoderOptions(
        null,
        Runtime.getRuntime().availableProcessors(),
        DEFAULT_TOKENS_PER_BATCH,
        Pooling.LAST_PROMPT);
  }

  public EncoderOptions withBackend(String name) {
    return new EncoderOptions(name, threads, maxTokensPerBatch, pooling);
  }

  public EncoderOptions withThreads(int count) {
    return new EncoderOptions(backend, count, maxTokensPerBatch, pooling);
  }

  public EncoderOptions withMaxTokensPerBatch(int tokens) {
    return new EncoderOptions(backend, threads, tokens, pooling);
  }

  public EncoderOptions withPooling(Pooling form) {
    return new EncoderOptions(backend, threads, maxTokensPerBatch, form);
  }
}
