package org.llm4msr.model.recommender;

import org.llm4msr.model.recommender.backbone.Backbone;

/**
 * @param embeddingDim width of each field's embedding
 * @param embeddingDeviation standard deviation of the tables at the start
 */
public record RecommenderConfig(
    int embeddingDim, double embeddingDeviation, Backbone backbone, MetaConfig meta) {}
