package org.llm4msr.model.recommender;

/**
 * Adam's settings. Weight decay is coupled L2 (added to the gradient), one value per kind of
 * parameter; {@link ParameterGroup#FACTOR} and {@link ParameterGroup#CONTENT} never decay.
 *
 * @param lazyEmbeddings LazyAdam for the tables: rows that a batch does not touch stay as they are,
 *     which is faster on large tables but not the same as Adam
 * @param clipNorm largest norm of all gradients together; 0 for no limit
 */
public record OptimizerConfig(
    double learningRate,
    double beta1,
    double beta2,
    double epsilon,
    double embeddingDecay,
    double networkDecay,
    double metaDecay,
    boolean lazyEmbeddings,
    double clipNorm) {
  public OptimizerConfig {
    if (!(learningRate > 0)
        || !(epsilon > 0)
        || !(beta1 >= 0 && beta1 < 1)
        || !(beta2 >= 0 && beta2 < 1)) {
      throw new IllegalArgumentException("Adam needs lr > 0, epsilon > 0 and betas in [0, 1)");
    }
    if (!(embeddingDecay >= 0 && networkDecay >= 0 && metaDecay >= 0 && clipNorm >= 0)) {
      throw new IllegalArgumentException("weight decay and the largest norm must not be negative");
    }
  }

  /** Plain Adam without weight decay. */
  public static OptimizerConfig adam(double learningRate, boolean lazyEmbeddings) {
    return new OptimizerConfig(learningRate, 0.9, 0.999, 1e-8, 0, 0, 0, lazyEmbeddings, 0);
  }

  /** The same with another decay of the levels of LLM4MSR. */
  public OptimizerConfig withMetaDecay(double decay) {
    return new OptimizerConfig(
        learningRate,
        beta1,
        beta2,
        epsilon,
        embeddingDecay,
        networkDecay,
        decay,
        lazyEmbeddings,
        clipNorm);
  }

  double decay(ParameterGroup group) {
    return switch (group) {
      case EMBEDDING -> embeddingDecay;
      case NETWORK -> networkDecay;
      case META, VECTOR -> metaDecay;
      case CONTENT, FACTOR, KNOWLEDGE, STATISTIC -> 0;
    };
  }
}
