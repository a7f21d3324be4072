package org.llm4msr.model.recommender;

import org.llm4msr.model.recommender.backbone.Backbone;

/**
 * @param embeddingDim width of each field's embedding
 * @param embeddingDeviation standard deviation of the tables at the start
 * @param dropout share of the backbone's hidden neurons that training drops, 0 for none
 */
public record RecommenderConfig(
    int embeddingDim,
    double embeddingDeviation,
    Backbone backbone,
    MetaConfig meta,
    double dropout) {
  public RecommenderConfig {
    if (!(dropout >= 0 && dropout < 1)) {
      throw new IllegalArgumentException("dropout is at least 0 and below 1, not " + dropout);
    }
  }

  /** The same around another backbone. */
  public RecommenderConfig withBackbone(Backbone other) {
    return new RecommenderConfig(embeddingDim, embeddingDeviation, other, meta, dropout);
  }

  /** Without dropout. */
  public RecommenderConfig(
      int embeddingDim, double embeddingDeviation, Backbone backbone, MetaConfig meta) {
    this(embeddingDim, embeddingDeviation, backbone, meta, 0);
  }
}
