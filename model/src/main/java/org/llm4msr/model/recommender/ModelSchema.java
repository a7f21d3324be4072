package org.llm4msr.model.recommender;

import java.util.List;

/**
 * What a model needs to know of a data set.
 *
 * @param fields in the order of the ids matrix
 * @param scenarios how many, at least 1
 * @param userVectors rows of the user knowledge table, 0 without knowledge
 * @param knowledgeWidth width of the language model's vectors, 0 without knowledge
 * @param maxBatch largest number of rows of a batch
 */
public record ModelSchema(
    List<Field> fields, int scenarios, int userVectors, int knowledgeWidth, int maxBatch) {
  /**
   * @param vocabularySize ids are in {@code [0, vocabularySize)}
   */
  public record Field(String name, int vocabularySize) {}

  public ModelSchema {
    fields = List.copyOf(fields);
    if (fields.isEmpty() || scenarios < 1 || maxBatch < 1) {
      throw new IllegalArgumentException("a model needs fields, scenarios and room for rows");
    }
  }
}
