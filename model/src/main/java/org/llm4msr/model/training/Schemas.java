package org.llm4msr.model.training;

import java.util.List;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.recommender.ModelSchema;

/** What a model needs to know of a data set, taken from it. */
public final class Schemas {
  private Schemas() {}

  /** Which vectors training rows use; null without knowledge is allowed. */
  public static Folds folds(KnowledgeTables knowledge) {
    return knowledge == null ? Folds.NONE : knowledge.folds();
  }

  private static ModelSchema.Field field(Field field) {
    return new ModelSchema.Field(
        field.name(),
        field.vocabulary().size(),
        field.dim(),
        field.table(),
        field.length(),
        field.isWeighted(),
        field.hasAttention());
  }

  /**
   * @param knowledge null without knowledge
   */
  public static ModelSchema of(Dataset dataset, KnowledgeTables knowledge, int maxBatch) {
    List<ModelSchema.Field> fields = dataset.fields().stream().map(Schemas::field).toList();
    return new ModelSchema(
        fields,
        dataset.scenarios().size(),
        knowledge == null ? 0 : knowledge.folds().profiles(dataset),
        knowledge == null ? 0 : knowledge.vectors().width(),
        maxBatch,
        dataset.hasLogits(),
        dataset.representationWidth());
  }
}
