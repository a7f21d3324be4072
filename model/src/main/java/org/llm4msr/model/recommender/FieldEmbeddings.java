package org.llm4msr.model.recommender;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/**
 * From a batch's ids to x, or to c for the content fields. What can be looked up together is one
 * operator: all categories with a table of their own; all numbers of one width, whose vectors are
 * then multiplied with the numbers; and, table by table, the fields that share one, so that its
 * gradient is one list of rows. A list is the sum of its elements' vectors times their factors, or
 * what attention makes of them.
 *
 * <p>Attention is that of a target over a user's interests, as in Deep Interest Network (Zhou et
 * al., KDD 2018, arXiv 1706.06978): {@code sum_k a_k e_k} over the row's own list, {@code a =
 * softmax_k(<q, e_k>)}. The query is made of the field whose table the list shares, the item of a
 * list of items: {@code q = v + W v}, where v is that field's vector and W starts at zero, so that
 * alike items count from the start. A list with a table of its own has a learned query, which
 * starts at zero: at the mean.
 *
 * <p>Where this leaves the paper: its weight is a small network that reads {@code e_k} and {@code
 * v} and runs once per element; an inner product with one query per row, the form of its successors
 * (TWIN, Chang et al., KDD 2023, arXiv 2302.02352), needs one pass over the elements. Unlike
 * theirs, the product is not divided by {@code sqrt(dim)}: embeddings start far below length 1, and
 * elements would look alike for longer. And the paper's weights are not normalised, so that many
 * alike interests make a long vector; softmax keeps x as large for long lists as for short ones.
 */
final class FieldEmbeddings {
  /** Fields that are looked up together. */
  private static final class Group {
    private final String name;
    private final boolean numbers;
    private final List<Integer> fields = new ArrayList<>();
    private BatchColumns ids;

    private Group(String name, boolean numbers) {
      this.name = name;
      this.numbers = numbers;
    }
  }

  private static final String CATEGORIES = "ids";

  private final ModelSchema schema;
  private final Dim rows;
  private final String prefix;
  private final ParameterGroup tables;
  private final ParameterGroup weights;
  private final List<ModelSchema.Field> chosen;
  private final Map<String, Group> groups = new LinkedHashMap<>();
  private final List<BatchColumns> ids = new ArrayList<>();
  private final List<BatchColumns> factors = new ArrayList<>();
  private final Map<String, Value> factorsOf = new LinkedHashMap<>();
  private final Value[] vectors;

  /** Of every field, for the backbone; declares the inputs. */
  static FieldEmbeddings ofAll(Graph graph, ModelSchema schema, Dim rows) {
    return new FieldEmbeddings(
        graph,
        schema,
        rows,
        schema.fields(),
        "",
        "embedding.",
        ParameterGroup.EMBEDDING,
        ParameterGroup.NETWORK);
  }

  /**
   * Of the content fields, for the meta networks; declares the inputs.
   *
   * @throws IllegalArgumentException if there are none
   */
  static FieldEmbeddings ofContent(Graph graph, ModelSchema schema, Dim rows) {
    if (schema.fields().stream().noneMatch(ModelSchema.Field::content)) {
      throw new IllegalArgumentException("levels beside the backbone need a content field");
    }
    return new FieldEmbeddings(
        graph,
        schema,
        rows,
        schema.fields().stream().filter(ModelSchema.Field::content).toList(),
        "content ",
        "content.",
        ParameterGroup.CONTENT,
        ParameterGroup.META);
  }

  private FieldEmbeddings(
      Graph graph,
      ModelSchema schema,
      Dim rows,
      List<ModelSchema.Field> chosen,
      String inputs,
      String prefix,
      ParameterGroup tables,
      ParameterGroup weights) {
    this.schema = schema;
    this.rows = rows;
    this.chosen = chosen;
    this.prefix = prefix;
    this.tables = tables;
    this.weights = weights;
    vectors = new Value[schema.fields().size()];
    for (ModelSchema.Field field : chosen) {
      groupOf(field).fields.add(schema.fields().indexOf(field));
    }
    for (Group group : groups.values()) {
      int[] columns = columns(group.fields, false);
      ValueType type = ValueType.of(DType.I32, rows, Dim.of(columns.length));
      group.ids = new BatchColumns(graph.input(inputs + group.name, type), columns);
      ids.add(group.ids);
      if (group.numbers) {
        declareFactors(graph, inputs, group.name, group.fields);
      } else {
        group.fields.stream()
            .filter(f -> schema.fields().get(f).weighted())
            .forEach(f -> declareFactors(graph, inputs, schema.fields().get(f).name(), List.of(f)));
      }
    }
  }

  private Group groupOf(ModelSchema.Field field) {
    int lookups =
        chosen.stream()
            .filter(other -> other.table().equals(field.table()))
            .mapToInt(ModelSchema.Field::length)
            .sum();
    if (lookups > 1) {
      String name = "ids of table " + field.table();
      return groups.computeIfAbsent(name, n -> new Group(n, false));
    }
    String name = field.weighted() ? "ids of numbers " + field.dim() : CATEGORIES;
    return groups.computeIfAbsent(name, n -> new Group(n, field.weighted()));
  }

  private void declareFactors(Graph graph, String inputs, String of, List<Integer> fields) {
    int[] columns = columns(fields, true);
    Value input = graph.input(inputs + "factors of " + of, rows, Dim.of(columns.length));
    factors.add(new BatchColumns(input, columns));
    factorsOf.put(of, input);
  }

  /** Where these fields' ids, or factors, stand in a batch. */
  private int[] columns(List<Integer> chosen, boolean weightedOnly) {
    List<Integer> columns = new ArrayList<>();
    int at = 0;
    for (int f = 0; f < schema.fields().size(); f++) {
      ModelSchema.Field field = schema.fields().get(f);
      if (weightedOnly && !field.weighted()) {
        continue;
      }
      for (int k = 0; k < field.length(); k++, at++) {
        if (chosen.contains(f)) {
          columns.add(at);
        }
      }
    }
    return columns.stream().mapToInt(Integer::intValue).toArray();
  }

  List<BatchColumns> ids() {
    return ids;
  }

  List<BatchColumns> factors() {
    return factors;
  }

  /** Ids of the categories with tables of their own; null if there are none. */
  Value categoryIds() {
    return groups.containsKey(CATEGORIES) ? groups.get(CATEGORIES).ids.input() : null;
  }

  /**
   * The vector of each field of {@link #ofAll} once {@link #lookUp} ran, {@code [rows, its width]}.
   */
  List<Value> vectors() {
    return List.of(vectors);
  }

  /** Every field's vector, side by side, group after group: {@code [rows, sum of widths]}. */
  Value lookUp(ModelBuilder model, int modelDim, double deviation) {
    List<Value> parts = new ArrayList<>();
    for (Group group : groups.values()) {
      List<Value> looks = new ArrayList<>();
      for (int f : group.fields) {
        ModelSchema.Field field = schema.fields().get(f);
        Value table =
            model.parameter(
                prefix + "tables." + field.table() + ".weight",
                tables,
                new Init.Normal(deviation),
                field.vocabularySize(),
                width(field, modelDim));
        for (int k = 0; k < field.length(); k++) {
          looks.add(table);
        }
      }
      Value looked = Ops.embeddings(group.ids.input(), looks);
      parts.addAll(pooled(model, group, looked, modelDim));
    }
    return parts.size() == 1 ? parts.getFirst() : Ops.concat(parts.toArray(Value[]::new));
  }

  private static long width(ModelSchema.Field field, int modelDim) {
    return field.dim() == 0 ? modelDim : field.dim();
  }

  private List<Value> pooled(ModelBuilder model, Group group, Value looked, int modelDim) {
    ModelSchema.Field first = schema.fields().get(group.fields.getFirst());
    if (group.numbers) {
      return List.of(cut(group, multiplied(group, looked, width(first, modelDim)), modelDim));
    }
    boolean plain = group.fields.stream().noneMatch(f -> schema.fields().get(f).weighted());
    if (plain) {
      return List.of(cut(group, looked, modelDim));
    }
    List<Value> parts = new ArrayList<>();
    long at = 0;
    for (int f : group.fields) {
      ModelSchema.Field field = schema.fields().get(f);
      long width = field.length() * width(field, modelDim);
      Value own = group.fields.size() == 1 ? looked : Ops.slice(looked, at, at + width);
      vectors[f] =
          field.attention()
              ? attended(model, field, own, width(field, modelDim))
              : field.weighted() ? Ops.mixture(factorsOf.get(field.name()), own) : own;
      parts.add(vectors[f]);
      at += width;
    }
    return parts;
  }

  private Value attended(ModelBuilder model, ModelSchema.Field field, Value elements, long width) {
    Value present = factorsOf.get(field.name());
    String name = prefix + "attention." + field.name();
    Value query;
    if (field.table().equals(field.name())) {
      Value learned = model.parameter(name + ".query", weights, Init.zeros(), 1, width);
      // The first element is always there: an empty list holds the unknown one.
      query = Ops.matmul(Ops.slice(present, 0, 1), learned);
    } else {
      Value target = vectors[indexOf(field.table())];
      Value weight = model.parameter(name + ".weight", weights, Init.zeros(), width, width);
      query = Ops.add(target, Ops.linear(target, weight, null, null));
    }
    return Ops.attentionPooling(query, elements, present);
  }

  private int indexOf(String name) {
    int f = 0;
    while (!schema.fields().get(f).name().equals(name)) {
      f++;
    }
    return f;
  }

  /** Number by number, {@code factor * vector}. */
  private Value multiplied(Group group, Value looked, long width) {
    Dim count = Dim.of(group.fields.size());
    Value number = Ops.reshape(factorsOf.get(group.name), rows, count, Dim.of(1));
    Value vector = Ops.reshape(looked, rows, count, Dim.of(width));
    return Ops.reshape(Ops.mul(vector, number), rows, Dim.of(count.fixed() * width));
  }

  /** Remembers where each field's vector stands in the group's. */
  private Value cut(Group group, Value all, int modelDim) {
    long at = 0;
    for (int f : group.fields) {
      long width = width(schema.fields().get(f), modelDim);
      vectors[f] = Ops.slice(all, at, at + width);
      at += width;
    }
    return all;
  }
}
