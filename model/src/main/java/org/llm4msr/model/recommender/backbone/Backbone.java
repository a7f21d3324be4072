package org.llm4msr.model.recommender.backbone;

import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ModelSchema;
import org.llm4msr.runtime.graph.Value;

/** A multi-scenario model between what is known of a row and one logit for it. */
public interface Backbone {
  /** Name as given to {@code --backbone}. */
  String name();

  /** Whether the logits depend on z. */
  default boolean readsInput(ModelSchema schema) {
    return true;
  }

  /**
   * x, of which the user level makes z: the embedded features unless the backbone has something
   * else to begin with.
   *
   * @param dim width of embeddings where a field has none of its own
   * @param deviation of the embeddings' first values
   * @return {@code [rows, width]}
   */
  default Value input(ModelBuilder model, int dim, double deviation) {
    return model.embeddings(dim, deviation);
  }

  /**
   * Appends the model.
   *
   * @param z {@code [rows, width]}; null only if the model {@link #readsInput ignores} it
   * @return logits {@code [rows, 1]}; a row's logit depends on no other row, except through batch
   *     statistics while training
   */
  Value logits(ModelBuilder model, Value z);
}
