package org.llm4msr.model.encoder;

import java.nio.file.Path;
import org.llm4msr.model.family.ModelConfig;
import org.llm4msr.runtime.UserError;

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
 * @param prefixReuse whether prompts that begin with the same tokens compute them once
 * @param maxNewTokens longest continuation for the poolings that read one
 * @param quantise what matrices become on load; null to keep them
 * @param chat whether texts are put into the form of a chat that the model was trained on
 */
public record EncoderOptions(
    String backend,
    int threads,
    int maxTokensPerBatch,
    Pooling pooling,
    int layer,
    boolean finalNorm,
    boolean l2,
    boolean prefixReuse,
    int maxNewTokens,
    Quantisation quantise,
    boolean chat) {
  /** Enough rows for the matrix products to run at full speed, few enough to stay in the caches. */
  public static final int DEFAULT_TOKENS_PER_BATCH = 2048;

  public static final int LAST_LAYER = -1;

  public EncoderOptions {
    if (threads < 1 || maxTokensPerBatch < 1 || layer < LAST_LAYER || maxNewTokens < 1) {
      throw new IllegalArgumentException(
          threads
              + " threads, "
              + maxTokensPerBatch
              + " tokens per batch, layer "
              + layer
              + ", "
              + maxNewTokens
              + " new tokens: expected 1 or more, a layer from 0");
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
        false,
        true,
        64,
        null,
        false);
  }

  public EncoderOptions withBackend(String name) {
    return new EncoderOptions(
        name,
        threads,
        maxTokensPerBatch,
        pooling,
        layer,
        finalNorm,
        l2,
        prefixReuse,
        maxNewTokens,
        quantise,
        chat);
  }

  public EncoderOptions withThreads(int count) {
    return new EncoderOptions(
        backend,
        count,
        maxTokensPerBatch,
        pooling,
        layer,
        finalNorm,
        l2,
        prefixReuse,
        maxNewTokens,
        quantise,
        chat);
  }

  public EncoderOptions withMaxTokensPerBatch(int tokens) {
    return new EncoderOptions(
        backend,
        threads,
        tokens,
        pooling,
        layer,
        finalNorm,
        l2,
        prefixReuse,
        maxNewTokens,
        quantise,
        chat);
  }

  public EncoderOptions withPooling(Pooling form) {
    return new EncoderOptions(
        backend,
        threads,
        maxTokensPerBatch,
        form,
        layer,
        finalNorm,
        l2,
        prefixReuse,
        maxNewTokens,
        quantise,
        chat);
  }

  /** Reads the output of an earlier layer. */
  public EncoderOptions withLayer(int number) {
    return new EncoderOptions(
        backend,
        threads,
        maxTokensPerBatch,
        pooling,
        number,
        finalNorm,
        l2,
        prefixReuse,
        maxNewTokens,
        quantise,
        chat);
  }

  public EncoderOptions withFinalNorm(boolean normed) {
    return new EncoderOptions(
        backend,
        threads,
        maxTokensPerBatch,
        pooling,
        layer,
        normed,
        l2,
        prefixReuse,
        maxNewTokens,
        quantise,
        chat);
  }

  public EncoderOptions withL2(boolean scaled) {
    return new EncoderOptions(
        backend,
        threads,
        maxTokensPerBatch,
        pooling,
        layer,
        finalNorm,
        scaled,
        prefixReuse,
        maxNewTokens,
        quantise,
        chat);
  }

  public EncoderOptions withPrefixReuse(boolean reused) {
    return new EncoderOptions(
        backend,
        threads,
        maxTokensPerBatch,
        pooling,
        layer,
        finalNorm,
        l2,
        reused,
        maxNewTokens,
        quantise,
        chat);
  }

  public EncoderOptions withMaxNewTokens(int most) {
    return new EncoderOptions(
        backend,
        threads,
        maxTokensPerBatch,
        pooling,
        layer,
        finalNorm,
        l2,
        prefixReuse,
        most,
        quantise,
        chat);
  }

  /** Quantises matrices on load; null keeps them. */
  public EncoderOptions withQuantise(Quantisation type) {
    return new EncoderOptions(
        backend,
        threads,
        maxTokensPerBatch,
        pooling,
        layer,
        finalNorm,
        l2,
        prefixReuse,
        maxNewTokens,
        type,
        chat);
  }

  /** Puts texts into the form of a chat that the model was trained on, ready for its answer. */
  public EncoderOptions withChat(boolean form) {
    return new EncoderOptions(
        backend,
        threads,
        maxTokensPerBatch,
        pooling,
        layer,
        finalNorm,
        l2,
        prefixReuse,
        maxNewTokens,
        quantise,
        form);
  }

  /**
   * @throws UserError if the model is too small for what is asked for
   */
  void requirePossible(Path model, ModelConfig config) {
    if (pooling.generated() && maxNewTokens >= config.maxPositions()) {
      throw new UserError(
          model
              + ": "
              + maxNewTokens
              + " new tokens leave no room for a prompt within the model's "
              + config.maxPositions()
              + " positions");
    }
    if (layer > config.layers()) {
      throw new UserError(
          model + ": layer " + layer + " is asked for, but the model has " + config.layers());
    }
  }

  /** The pooling and whatever else the vectors depend on, such as {@code mean_prompt,layer=3}. */
  public String pool() {
    return pooling
        + (layer == LAST_LAYER ? "" : ",layer=" + layer)
        + (finalNorm ? "" : ",no_final_norm")
        + (l2 ? ",l2" : "")
        + (pooling.generated() ? ",max_new_tokens=" + maxNewTokens : "")
        + (quantise == null ? "" : ",quantise=" + quantise);
  }
}
