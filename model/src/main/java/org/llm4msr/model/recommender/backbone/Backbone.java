package org.llm4msr.model.recommender.backbone;

import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.runtime.graph.Value;

/** A multi-scenario model between the embedded features and one logit per row. */
public interface Backbone {
  /** Name as given to {@code --backbone}. */
  String name();

  /** Whether the logits depend on z. */
  default boolean readsFeatures() {
    return true;
  }

  /**
   * Appends the model.
   *
   * @param z {@code [rows, width]}; null only if the model {@link #readsFeatures() ignores} it
   * @return logits {@code [rows, 1]}; a row's logit depends on no other row, except through batch
   *     statistics while training
   */
  Value logits(ModelBuilder model, Value z);
}
