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
  private final Map<Leaf, RequestField> requestFields = new IdentityHashMap<>();

  /** What is behind the leaf of a request's field. */
  private record RequestField(int field, List<Tensor> tables) {}

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

  /** Whether each request says what a field holds. */
  boolean isOfRequest(int fieldIndex) {
    return source(dataset.fields().get(fieldIndex)) == Leaf.Source.REQUEST;
  }

  /** What such a field's ids give in several tables, times their factors and added up. */
  Leaf requestField(int fieldIndex, List<Tensor> tables) {
    Field field = dataset.fields().get(fieldIndex);
    return known.computeIfAbsent(
        "embedding of " + field.name(),
        key -> {
          RequestField request = new RequestField(fieldIndex, tables);
          int width = tables.stream().mapToInt(Leaves::width).sum();
          Leaf leaf =
              new Leaf(
                  key,
                  Leaf.Source.REQUEST,
                  width,
                  (row, to, at) -> {
                    Arrays.fill(to, at, at + width, 0);
                    for (int k = 0; k < field.length(); k++) {
                      boolean inLog = row < dataset.rows();
                      float factor = inLog ? field.factor(row, k) : k == 0 ? 1 : 0;
                      add(request, inLog ? field.id(row, k) : 0, factor, to, at);
                    }
                  });
          requestFields.put(leaf, request);
          return leaf;
        });
  }

  private static int width(Tensor table) {
    return Math.toIntExact(table.shape().dim(1));
  }

  private static void add(RequestField field, int id, float factor, float[] to, int at) {
    int next = at;
    for (Tensor table : field.tables) {
      int width = width(table);
      for (int j = 0; j < width; j++) {
        to[next++] += factor * table.segment().getAtIndex(JAVA_FLOAT, (long) id * width + j);
      }
    }
  }

  /** The field that a request's leaf stands for. */
  int requestFieldOf(Leaf leaf) {
    return requestFields.get(leaf).field();
  }

  /** The embedding of one id in such a leaf's tables. */
  void readRequestField(Leaf leaf, int id, float[] to) {
    Arrays.fill(to, 0);
    add(requestFields.get(leaf), id, 1, to, 0);
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
                            user < dataset.users() ? evidence.user(user, scenario) : 0)));
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
                            item < dataset.items() ? evidence.item(item, scenario) : 0)));
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
