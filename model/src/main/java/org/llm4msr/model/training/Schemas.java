package org.llm4msr.model.training;

import java.util.Arrays;
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

  /** Neither the user, nor of the user, nor ids of items. */
  private static boolean isContent(Field field) {
    return field.owner() != Field.Owner.USER && !field.table().equals("item");
  }

  private static ModelSchema.Field field(Field field, boolean content) {
    return new ModelSchema.Field(
        field.name(),
        field.vocabulary().size(),
        field.dim(),
        field.table(),
        field.length(),
        field.isWeighted(),
        field.hasAttention(),
        content);
  }

  /**
   * Content are the fields that neither belong to users nor hold ids of items; where there are no
   * others, every field is.
   *
   * @param knowledge null without knowledge
   */
  public static ModelSchema of(Dataset dataset, KnowledgeTables knowledge, int maxBatch) {
    boolean none = dataset.fields().stream().noneMatch(Schemas::isContent);
    List<ModelSchema.Field> fields =
        dataset.fields().stream().map(field -> field(field, none || isContent(field))).toList();
    return new ModelSchema(
        fields,
        dataset.scenarios().size(),
        knowledge == null ? 0 : knowledge.folds().profiles(dataset),
        knowledge == null ? 0 : knowledge.vectors().width(),
        maxBatch,
        dataset.hasLogits(),
        dataset.representationWidth(),
        knowledge == null ? 1 : rowsPerVector(dataset, knowledge.folds().count(), maxBatch));
  }

  /**
   * Expected rows of a batch over its expected distinct vectors, if each of its rows is any of the
   * training rows and each user has as many of these in every fold; 1 without training rows.
   */
  static double rowsPerVector(Dataset dataset, int folds, int batch) {
    int[] ofUser = dataset.trainRowsPerUser();
    double all = Arrays.stream(ofUser).asDoubleStream().sum();
    if (all == 0) {
      return 1;
    }
    double vectors = Math.max(1, folds);
    double distinct = 0;
    for (int rows : ofUser) {
      distinct += vectors * (1 - Math.pow(1 - rows / (vectors * all), batch));
    }
    return Math.max(1, batch / distinct);
  }
}
