package org.llm4msr.model.encoder;

/**
 * How an encoder runs, and what it reads. The vectors depend on the latter only, beyond rounding.
 *
 * @param backend a backend's name, or null for the best one that is available
 * @param threads at least 1
 * @param maxTokensPerBatch how many tokens are computed together; a longer prompt gets a batch of
 *     its own
 * @param pooling which states make the vector
 * @param layer the layer whose output is read, from 0 (the embeddings); {@link #LAST_LAYER} for the
 *     last
 * @param finalNorm whether states are normalised as those after the last layer are
 * @param l2 whether vectors are scaled to length 1
 */
public record EncoderOptions(
    String backend,
    int threads,
    int maxTokensPerBatch,
    Pooling pooling,
    int layer,
    boolean finalNorm,
    boolean l2) {
  /** Enough rows for the matrix products to run at full speed, few enough to stay in the caches. */
  public static final int DEFAULT_TOKENS_PER_BATCH = 2048;

  public static final int LAST_LAYER = -1;

  public EncoderOptions {
    if (threads < 1 || maxTokensPerBatch < 1 || layer < LAST_LAYER) {
      throw new IllegalArgumentException(
          threads
              + " threads, "
              + maxTokensPerBatch
              + " tokens per batch, layer "
              + layer
              + ": expected 1 or more, a layer from 0");
    }
  }

  /** The best backend, all processors, {@link Pooling#LAST_PROMPT} after the last norm. */
  public static EncoderOptions defaults() {
    return new EncoderOptions(
        null,
        Runtime.getRuntime().availableProcessors(),
        DEFAULT_TOKENS_PER_BATCH,
        Pooling.LAST_PROMPT,
        LAST_LAYER,
        true,
        false);
  }

  public EncoderOptions withBackend(String name) {
    return new EncoderOptions(name, threads, maxTokensPerBatch, pooling, layer, finalNorm, l2);
  }

  public EncoderOptions withThreads(int count) {
    return new EncoderOptions(backend, count, maxTokensPerBatch, pooling, layer, finalNorm, l2);
  }

  public EncoderOptions withMaxTokensPerBatch(int tokens) {
    return new EncoderOptions(backend, threads, tokens, pooling, layer, finalNorm, l2);
  }

  public EncoderOptions withPooling(Pooling form) {
    return new EncoderOptions(backend, threads, maxTokensPerBatch, form, layer, finalNorm, l2);
  }

  /** Reads the output of an earlier layer. */
  public EncoderOptions withLayer(int number) {
    return new EncoderOptions(backend, threads, maxTokensPerBatch, pooling, number, finalNorm, l2);
  }

  public EncoderOptions withFinalNorm(boolean normed) {
    return new EncoderOptions(backend, threads, maxTokensPerBatch, pooling, layer, normed, l2);
  }

  public EncoderOptions withL2(boolean scaled) {
    return new EncoderOptions(
        backend, threads, maxTokensPerBatch, pooling, layer, finalNorm, scaled);
  }
}
