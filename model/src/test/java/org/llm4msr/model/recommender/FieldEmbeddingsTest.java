package org.llm4msr.model.recommender;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.Autodiff;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Fields of every kind, in double precision, against the sums written out. */
class FieldEmbeddingsTest {
  private static final int ROWS = 6;
  private static final int DIM = 4;

  private static final List<ModelSchema.Field> FIELDS =
      List.of(
          new ModelSchema.Field("user", 5, 0, "user", 1, false, false, false),
          new ModelSchema.Field("price", 2, 0, "price", 1, true),
          new ModelSchema.Field("item", 7, 3, "item", 1, false, false, false),
          new ModelSchema.Field("history", 7, 3, "item", 4, true, false, false),
          new ModelSchema.Field("hour", 3, 2, "hour", 1, false),
          new ModelSchema.Field("age", 2, 0, "age", 1, true),
          new ModelSchema.Field("tags", 6, 0, "tags", 2, true),
          new ModelSchema.Field("last", 7, 3, "item", 1, false, false, false),
          new ModelSchema.Field("length", 2, 5, "length", 1, true),
          new ModelSchema.Field("liked", 7, 3, "item", 5, true, true, false),
          new ModelSchema.Field("genres", 6, 0, "genres", 3, true, true, true),
          new ModelSchema.Field("likedTags", 6, 0, "tags", 2, true, true, true));

  private final Backend backend = Backends.open("reference", new BackendOptions(1));
  private final ParameterStore store = new ParameterStore(backend);
  private final ModelBuilder builder =
      new ModelBuilder(new ModelSchema(FIELDS, 2, 0, 0, ROWS), DType.F64, true, 0);
  private final Map<String, int[][]> ids = new LinkedHashMap<>();
  private final Map<String, double[][]> factors = new LinkedHashMap<>();
  private final Random random = new Random(4);
  private String prefix = "embedding.";

  @AfterEach
  void close() {
    store.close();
    backend.close();
  }

  private void drawBatch() {
    for (ModelSchema.Field field : FIELDS) {
      int[][] own = new int[ROWS][field.length()];
      double[][] weights = new double[ROWS][field.length()];
      for (int row = 0; row < ROWS; row++) {
        for (int k = 0; k < field.length(); k++) {
          own[row][k] = random.nextInt(field.vocabularySize());
          weights[row][k] = field.weighted() && !field.attention() ? random.nextGaussian() : 1;
          if (field.attention()) {
            // As batches have them: row 0 holds one element, row 1 two.
            weights[row][k] = k <= row ? 1 : 0;
          }
        }
      }
      ids.put(field.name(), own);
      factors.put(field.name(), weights);
    }
  }

  /** Writes the batch as the inputs say that they take it from a batch's columns. */
  private void feed(Plan plan) {
    plan.setExtent(builder.rows(), ROWS);
    for (int row = 0; row < ROWS; row++) {
      List<Integer> allIds = new ArrayList<>();
      List<Double> allFactors = new ArrayList<>();
      for (ModelSchema.Field field : FIELDS) {
        for (int k = 0; k < field.length(); k++) {
          allIds.add(ids.get(field.name())[row][k]);
          if (field.weighted()) {
            allFactors.add(factors.get(field.name())[row][k]);
          }
        }
      }
      for (BatchColumns columns : builder.idColumns()) {
        put(plan, columns, row, allIds);
      }
      for (BatchColumns columns : builder.factorColumns()) {
        put(plan, columns, row, allFactors);
      }
    }
  }

  private static void put(Plan plan, BatchColumns columns, int row, List<? extends Number> all) {
    MemorySegment input = plan.input(columns.input());
    int count = columns.columns().length;
    for (int k = 0; k < count; k++) {
      double element = all.get(columns.columns()[k]).doubleValue();
      columns.input().type().dtype().set(input, (long) row * count + k, element);
    }
  }

  private void drawParameters() {
    for (ModelBuilder.ModelParameter parameter : builder.parameters()) {
      MemorySegment segment = store.create(parameter.value()).segment();
      for (long i = 0; i < segment.byteSize() / 8; i++) {
        DType.F64.set(segment, i, random.nextGaussian());
      }
    }
  }

  /** An element's vector. */
  private double[] element(ModelSchema.Field field, int row, int k) {
    int width = width(field);
    MemorySegment table = store.get(prefix + "tables." + field.table() + ".weight").segment();
    double[] vector = new double[width];
    for (int d = 0; d < width; d++) {
      vector[d] = DType.F64.get(table, (long) ids.get(field.name())[row][k] * width + d);
    }
    return vector;
  }

  private double[] expected(ModelSchema.Field field, int row) {
    double[] factor = factors.get(field.name())[row];
    double[] weights = field.attention() ? attention(field, row, factor) : factor;
    double[] sum = new double[width(field)];
    for (int k = 0; k < field.length(); k++) {
      double[] vector = element(field, row, k);
      for (int d = 0; d < sum.length; d++) {
        sum[d] += weights[k] * vector[d];
      }
    }
    return sum;
  }

  private double[] attention(ModelSchema.Field field, int row, double[] present) {
    String name = prefix + "attention." + field.name();
    int width = width(field);
    double[] query = new double[width];
    if (field.table().equals(field.name())) {
      MemorySegment learned = store.get(name + ".query").segment();
      for (int d = 0; d < width; d++) {
        query[d] = DType.F64.get(learned, d);
      }
    } else {
      ModelSchema.Field target =
          FIELDS.stream().filter(f -> f.name().equals(field.table())).findFirst().orElseThrow();
      double[] v = expected(target, row);
      MemorySegment weight = store.get(name + ".weight").segment();
      for (int d = 0; d < width; d++) {
        query[d] = v[d];
        for (int i = 0; i < width; i++) {
          query[d] += DType.F64.get(weight, (long) d * width + i) * v[i];
        }
      }
    }
    double[] weights = new double[present.length];
    double total = 0;
    for (int k = 0; k < weights.length; k++) {
      double[] vector = element(field, row, k);
      double score = 0;
      for (int d = 0; d < width; d++) {
        score += query[d] * vector[d];
      }
      weights[k] = present[k] * Math.exp(score);
      total += weights[k];
    }
    for (int k = 0; k < weights.length; k++) {
      weights[k] /= total;
    }
    return weights;
  }

  private static double[] read(Plan plan, Value value) {
    Operand operand = plan.output(value);
    double[] elements = new double[Math.toIntExact(operand.elements())];
    for (int i = 0; i < elements.length; i++) {
      elements[i] = DType.F64.get(operand.segment(), i);
    }
    return elements;
  }

  private static int width(ModelSchema.Field field) {
    return field.dim() == 0 ? DIM : field.dim();
  }

  @Test
  void everyFieldIsTheSumOfItsVectorsTimesTheirFactorsOrWeights() {
    Value x = builder.embeddings(DIM, 0.1);
    List<Value> outputs = new ArrayList<>(List.of(x));
    for (ModelSchema.Field field : FIELDS) {
      outputs.add(builder.fields(List.of(field.name())));
    }
    drawBatch();
    drawParameters();
    assertThat(builder.parameters())
        .extracting(parameter -> parameter.value().name())
        .filteredOn(name -> !name.contains("attention"))
        .containsExactlyInAnyOrder(
            FIELDS.stream()
                .map(field -> "embedding.tables." + field.table() + ".weight")
                .distinct()
                .toArray(String[]::new));
    try (Plan plan = new Plan(backend, builder.graph(), store, outputs)) {
      feed(plan);
      plan.run();
      List<Double> seen = new ArrayList<>();
      for (int f = 0; f < FIELDS.size(); f++) {
        ModelSchema.Field field = FIELDS.get(f);
        double[] vectors = read(plan, outputs.get(f + 1));
        int width = width(field);
        assertThat(vectors).as(field.name()).hasSize(ROWS * width);
        for (int i = 0; i < vectors.length; i++) {
          assertThat(vectors[i])
              .as(field.name())
              .isCloseTo(expected(field, i / width)[i % width], within(1e-12));
          seen.add(vectors[i]);
        }
      }
      // x holds the same numbers, in an order of its own.
      double[] all = read(plan, x);
      assertThat(all).hasSize(seen.size());
      assertThat(java.util.Arrays.stream(all).sorted().toArray())
          .containsExactly(seen.stream().mapToDouble(Double::doubleValue).sorted().toArray());
    }
  }

  /** The levels beside the backbone have tables of their own, and none for who and which. */
  @Test
  void contentFieldsHaveVectorsOfTheirOwn() {
    Value x = builder.embeddings(DIM, 0.1);
    Value content = builder.content(DIM, 0.1);
    List<ModelSchema.Field> chosen = FIELDS.stream().filter(ModelSchema.Field::content).toList();
    drawBatch();
    drawParameters();
    assertThat(builder.parameters())
        .extracting(parameter -> parameter.value().name())
        .filteredOn(name -> name.startsWith("content."))
        .filteredOn(name -> !name.contains("attention"))
        .containsExactlyInAnyOrder(
            chosen.stream()
                .map(field -> "content.tables." + field.table() + ".weight")
                .distinct()
                .toArray(String[]::new));
    try (Plan plan = new Plan(backend, builder.graph(), store, List.of(x, content))) {
      feed(plan);
      plan.run();
      prefix = "content.";
      double[] vectors = read(plan, content);
      int width = vectors.length / ROWS;
      for (int row = 0; row < ROWS; row++) {
        List<Double> expected = new ArrayList<>();
        for (ModelSchema.Field field : chosen) {
          for (double number : expected(field, row)) {
            expected.add(number);
          }
        }
        // In an order of its own.
        double[] own = java.util.Arrays.copyOfRange(vectors, row * width, (row + 1) * width);
        java.util.Arrays.sort(own);
        double[] sorted = expected.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        assertThat(own).hasSize(sorted.length);
        for (int i = 0; i < sorted.length; i++) {
          assertThat(own[i]).isCloseTo(sorted[i], within(1e-12));
        }
      }
    }
  }

  @Test
  void gradientsEqualCentralDifferencesAndTablesGetRowsOnly() {
    Value x = builder.embeddings(DIM, 0.1);
    long width = x.type().dim(1).fixed();
    Value weight = builder.parameter("weight", ParameterGroup.NETWORK, Init.zeros(), 1, width);
    Value labels = builder.graph().input("labels", builder.rows());
    Value loss = Ops.bceWithLogits(Ops.linear(Ops.mul(x, x), weight, null, null), labels);
    List<Value> trained =
        builder.parameters().stream().map(ModelBuilder.ModelParameter::value).toList();
    Map<Value, Gradient> gradients = Autodiff.gradients(loss, trained);
    Map<String, Value> dense = new LinkedHashMap<>();
    gradients.forEach((value, gradient) -> {
      if (value.name().startsWith("embedding.tables.")) {
        assertThat(gradient).as(value.name()).isInstanceOf(Gradient.SparseRows.class);
      }
      dense.put(value.name(), Autodiff.dense(gradient, value));
    });
    assertThat(dense).hasSize(trained.size());
    drawBatch();
    drawParameters();
    List<Value> outputs = new ArrayList<>(dense.values());
    outputs.add(loss);
    try (Plan plan = new Plan(backend, builder.graph(), store, outputs)) {
      feed(plan);
      for (int row = 0; row < ROWS; row++) {
        DType.F64.set(plan.input(labels), row, row % 2);
      }
      for (Map.Entry<String, Value> entry : dense.entrySet()) {
        plan.run();
        double[] gradient = read(plan, entry.getValue());
        MemorySegment parameter = store.get(entry.getKey()).segment();
        for (int i = 0; i < gradient.length; i++) {
          double start = DType.F64.get(parameter, i);
          double step = 1e-6;
          DType.F64.set(parameter, i, start + step);
          plan.run();
          double above = plan.readScalar(loss);
          DType.F64.set(parameter, i, start - step);
          plan.run();
          double below = plan.readScalar(loss);
          DType.F64.set(parameter, i, start);
          assertThat((above - below) / (2 * step))
              .as(entry.getKey() + " " + i)
              .isCloseTo(gradient[i], within(1e-7 + 1e-6 * Math.abs(gradient[i])));
        }
      }
    }
  }

  /** Attention reads nothing of other rows: the first row's numbers are those of a batch of one. */
  @Test
  void rowsAreIndependent() {
    Value x = builder.embeddings(DIM, 0.1);
    drawBatch();
    drawParameters();
    try (Plan plan = new Plan(backend, builder.graph(), store, List.of(x))) {
      feed(plan);
      plan.run();
      double[] together = read(plan, x);
      plan.setExtent(builder.rows(), 1);
      plan.run();
      double[] alone = read(plan, x);
      assertThat(alone).hasSize(together.length / ROWS);
      assertThat(together).startsWith(alone);
    }
  }

  @Test
  void attentionStartsAtTheMeanWithoutATarget() {
    Value x = builder.embeddings(DIM, 0.1);
    assertThat(builder.parameters())
        .filteredOn(parameter -> parameter.value().name().contains("attention"))
        .extracting(parameter -> parameter.value().name() + parameter.value().type().dims())
        .containsExactlyInAnyOrder(
            "embedding.attention.liked.weight[3, 3]",
            "embedding.attention.genres.query[1, 4]",
            "embedding.attention.likedTags.weight[4, 4]");
    drawBatch();
    drawParameters();
    store.get("embedding.attention.genres.query").segment().fill((byte) 0);
    Value genres = builder.fields(List.of("genres"));
    try (Plan plan = new Plan(backend, builder.graph(), store, List.of(x, genres))) {
      feed(plan);
      plan.run();
      double[] vectors = read(plan, genres);
      ModelSchema.Field field = FIELDS.get(10);
      for (int row = 0; row < ROWS; row++) {
        int count = Math.min(row + 1, field.length());
        for (int d = 0; d < DIM; d++) {
          double sum = 0;
          for (int k = 0; k < count; k++) {
            sum += element(field, row, k)[d];
          }
          assertThat(vectors[row * DIM + d]).isCloseTo(sum / count, within(1e-12));
        }
      }
    }
  }

  @Test
  void attentionNeedsItsTargetBeforeIt() {
    List<ModelSchema.Field> fields =
        List.of(
            new ModelSchema.Field("liked", 7, 0, "item", 4, true, true, true),
            new ModelSchema.Field("item", 7));
    assertThatThrownBy(() -> new ModelSchema(fields, 2, 0, 0, ROWS))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("liked")
        .hasMessageContaining("before");
  }

  @Test
  void fieldsOfOneTableMustAgreeOnItsSize() {
    List<ModelSchema.Field> fields =
        List.of(
            new ModelSchema.Field("item", 7),
            new ModelSchema.Field("last", 8, 0, "item", 1, false));
    assertThatThrownBy(() -> new ModelSchema(fields, 2, 0, 0, ROWS))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("item and last");
  }
}
