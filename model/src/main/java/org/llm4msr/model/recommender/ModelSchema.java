package org.llm4msr.model.recommender;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a model needs to know of a data set.
 *
 * @param fields in the order of a batch's ids
 * @param scenarios how many, at least 1
 * @param userVectors rows of the user knowledge table, 0 without knowledge
 * @param knowledgeWidth width of the language model's vectors, 0 without knowledge
 * @param maxBatch largest number of rows of a batch
 * @param externalLogit whether rows come with the logit of an existing recommender
 * @param representation width of the representation of each row by an existing recommender; 0
 *     without one
 * @param rowsPerVector rows of a training batch for each distinct user vector that they use, on
 *     average: at least 1
 */
public record ModelSchema(
    List<Field> fields,
    int scenarios,
    int userVectors,
    int knowledgeWidth,
    int maxBatch,
    boolean externalLogit,
    int representation,
    double rowsPerVector) {
  /**
   * An input of the model.
   *
   * @param vocabularySize ids are in {@code [0, vocabularySize)}
   * @param dim width of the embedding, 0 for the model's
   * @param table fields of the same table share one embedding table
   * @param length ids of a row
   * @param weighted whether the ids' vectors are multiplied with factors and added up
   * @param attention whether attention weighs the ids, and factors only say which are there: 1 or
   *     0, the first one 1
   * @param content whether it says what is offered, and when or where, rather than which item or
   *     which user it is: what the levels of LLM4MSR read where they stand beside the backbone
   */
  public record Field(
      String name,
      int vocabularySize,
      int dim,
      String table,
      int length,
      boolean weighted,
      boolean attention,
      boolean content) {
    public Field {
      if (vocabularySize < 1
          || dim < 0
          || length < 1
          || length > 1 && !weighted
          || attention && !weighted) {
        throw new IllegalArgumentException(
            "field %s with %d ids of %d and dim %d".formatted(name, length, vocabularySize, dim));
      }
    }

    /** Content without attention. */
    public Field(
        String name, int vocabularySize, int dim, String table, int length, boolean weighted) {
      this(name, vocabularySize, dim, table, length, weighted, false, true);
    }

    /** A category with a table of its own. */
    public Field(String name, int vocabularySize) {
      this(name, vocabularySize, 0, name, 1, false);
    }
  }

  /** Without an existing recommender, and with another user in every row. */
  public ModelSchema(
      List<Field> fields, int scenarios, int userVectors, int knowledgeWidth, int maxBatch) {
    this(fields, scenarios, userVectors, knowledgeWidth, maxBatch, false, 0, 1);
  }

  public ModelSchema {
    fields = List.copyOf(fields);
    if (fields.isEmpty() || scenarios < 1 || maxBatch < 1) {
      throw new IllegalArgumentException("a model needs fields, scenarios and room for rows");
    }
    Map<String, Field> first = new HashMap<>();
    Set<String> names = new HashSet<>();
    for (Field field : fields) {
      Field other = first.putIfAbsent(field.table(), field);
      if (other != null
          && (other.dim() != field.dim() || other.vocabularySize() != field.vocabularySize())) {
        throw new IllegalArgumentException(
            other.name() + " and " + field.name() + " share a table but not its size");
      }
      names.add(field.name());
      if (field.attention() && !names.contains(field.table())) {
        throw new IllegalArgumentException(
            field.name() + " attends for " + field.table() + ", which must come before it");
      }
    }
  }
}
