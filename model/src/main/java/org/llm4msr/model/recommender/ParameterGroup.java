package org.llm4msr.model.recommender;

/** What a parameter is for: decides its weight decay and whether it is trained. */
public enum ParameterGroup {
  /** Tables of the fields. Weight decay matters most here. */
  EMBEDDING(true),
  /** Weights of the backbone and of the fusion. */
  NETWORK(true),
  /** Factors that start at 1, such as STAR's per-scenario ones: decay would pull them to 0. */
  FACTOR(true),
  /**
   * Tables of the content features. What they hold counts times generated weights, and those decay:
   * decay on both would draw a weak signal to nothing.
   */
  CONTENT(true),
  /** Generators of the meta networks. */
  META(true),
  /** Vectors that are learned in place of a language model's. */
  VECTOR(true),
  /** The language model's vectors. */
  KNOWLEDGE(false),
  /** Running statistics of normalisations, updated by the forward pass. */
  STATISTIC(false);

  private final boolean trained;

  ParameterGroup(boolean trained) {
    this.trained = trained;
  }

  public boolean isTrained() {
    return trained;
  }
}
