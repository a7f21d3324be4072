package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.recommender.Evidence;
import org.llm4msr.model.training.EvidenceCounts;
import org.llm4msr.runtime.Tensor;

/** The leaves of a model's terms, read from the data set it was trained on. */
final class Leaves {
  private final Dataset dataset;
  private final Folds folds;
  private final EvidenceCounts evidence;
  private final Map<String, Leaf> known = new HashMap<>();
  private final Map<Leaf, Category> categories = new IdentityHashMap<>();

  /** What is behind the leaf of a request's category. */
  private record Category(int field, List<Tensor> tables) {}

  /**
   * @param evidence null where the model does not ask for it
   */
  Leaves(Dataset dataset, Folds folds, EvidenceCounts evidence) {
    this.dataset = dataset;
    this.folds = folds;
    this.evidence = evidence;
  }

  private static Leaf.Source source(Field field) {
    return switch (field.owner()) {
      case USER -> Leaf.Source.USER;
      case ITEM -> Leaf.Source.ITEM;
      case ROW -> Leaf.Source.REQUEST;
    };
  }

  /** Entities that a field describes; numbers from there on are unknown. */
  private int entities(Field field) {
    return switch (field.owner()) {
      case USER -> dataset.users();
      case ITEM -> dataset.items();
      case ROW -> dataset.rows();
    };
  }

  /**
   * The embedding of a field's id at {@code position}; id 0 is the unknown value.
   *
   * @param tableName tells tables of the same field apart
   */
  Leaf embedding(int fieldIndex, int position, String tableName, Tensor table) {
    Field field = dataset.fields().get(fieldIndex);
    int width = width(table);
    String name = field.name() + "[" + position + "]";
    return known.computeIfAbsent(
        "embedding of " + name + " in " + tableName,
        key -> {
          MemorySegment rows = table.segment();
          int entities = entities(field);
          return new Leaf(
              key,
              source(field),
              width,
              (entity, to, at) -> {
                long id = entity < entities ? field.id(entity, position) : 0;
                MemorySegment.copy(rows, JAVA_FLOAT, id * width * Float.BYTES, to, at, width);
              });
        });
  }

  /** Whether each request says what a field's one id is. */
  boolean isRequestCategory(int fieldIndex) {
    Field field = dataset.fields().get(fieldIndex);
    return source(field) == Leaf.Source.REQUEST && !field.isWeighted();
  }

  /** The embeddings of such a field's id in several tables, side by side. */
  Leaf requestCategory(int fieldIndex, List<Tensor> tables) {
    Field field = dataset.fields().get(fieldIndex);
    return known.computeIfAbsent(
        "embedding of " + field.name(),
        key -> {
          Category category = new Category(fieldIndex, tables);
          Leaf leaf =
              new Leaf(
                  key,
                  Leaf.Source.REQUEST,
                  tables.stream().mapToInt(Leaves::width).sum(),
                  (row, to, at) ->
                      read(category, row < dataset.rows() ? field.id(row, 0) : 0, to, at));
          categories.put(leaf, category);
          return leaf;
        });
  }

  private static int width(Tensor table) {
    return Math.toIntExact(table.shape().dim(1));
  }

  private static void read(Category category, int id, float[] to, int at) {
    int next = at;
    for (Tensor table : category.tables) {
      int width = width(table);
      MemorySegment.copy(
          table.segment(), JAVA_FLOAT, (long) id * width * Float.BYTES, to, next, width);
      next += width;
    }
  }

  /** The field of a leaf that is the embedding of one category, -1 for others. */
  int categoryOf(Leaf leaf) {
    Category category = categories.get(leaf);
    return category == null ? -1 : category.field();
  }

  /** The embedding of an id. */
  void readCategory(Leaf leaf, int id, float[] to) {
    read(categories.get(leaf), id, to, 0);
  }

  /** The factor of a field's id at {@code position}. An unknown entity has the unknown id once. */
  Leaf factor(int fieldIndex, int position) {
    Field field = dataset.fields().get(fieldIndex);
    return known.computeIfAbsent(
        "factor of " + field.name() + "[" + position + "]",
        key -> {
          int entities = entities(field);
          float unknown = position == 0 ? 1 : 0;
          return new Leaf(
              key,
              source(field),
              1,
              (entity, to, at) ->
                  to[at] = entity < entities ? field.factor(entity, position) : unknown);
        });
  }

  /** The user's knowledge vector, made from all training rows; zeros for unknown users. */
  Leaf knowledge(Tensor table) {
    int width = Math.toIntExact(table.shape().dim(1));
    return known.computeIfAbsent(
        "knowledge",
        key -> {
          MemorySegment rows = table.segment();
          return Leaf.knowledge(
              width,
              (user, to, at) -> {
                if (user < dataset.users()) {
                  long profile = folds.profile(user, Folds.ALL_ROWS);
                  MemorySegment.copy(
                      rows, JAVA_FLOAT, profile * width * Float.BYTES, to, at, width);
                } else {
                  Arrays.fill(to, at, at + width, 0);
                }
              });
        });
  }

  /** What the training rows know of the user in a scenario. */
  Leaf userEvidence(int scenario) {
    return known.computeIfAbsent(
        "evidence of users in " + scenario,
        key ->
            new Leaf(
                key,
                Leaf.Source.USER,
                1,
                (user, to, at) ->
                    to[at] =
                        Evidence.feature(
                            user < dataset.users() ? evidence.user(user, scenario) : 0, false)));
  }

  /** What the training rows know of the item in a scenario. */
  Leaf itemEvidence(int scenario) {
    return known.computeIfAbsent(
        "evidence of items in " + scenario,
        key ->
            new Leaf(
                key,
                Leaf.Source.ITEM,
                1,
                (item, to, at) ->
                    to[at] =
                        Evidence.feature(
                            item < dataset.items() ? evidence.item(item, scenario) : 0, false)));
  }

  /** The existing recommender's logit, which each request brings. */
  Leaf externalLogit() {
    return known.computeIfAbsent(
        "logit",
        key ->
            new Leaf(
                key, Leaf.Source.INPUT, 1, (row, to, at) -> to[at] = dataset.external(row)[0]));
  }
}
