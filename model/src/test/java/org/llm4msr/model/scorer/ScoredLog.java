package org.llm4msr.model.scorer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.llm4msr.model.data.CodedColumn;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.FieldOptions;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.ListColumn;
import org.llm4msr.model.data.NumberColumn;
import org.llm4msr.model.data.Pooling;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.ModelBuilder.ModelParameter;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.training.Evaluator;
import org.llm4msr.model.training.EvidenceCounts;
import org.llm4msr.model.training.KnowledgeTables;
import org.llm4msr.model.training.KnowledgeVectors;
import org.llm4msr.model.training.ParameterInitializer;
import org.llm4msr.model.training.Predictions;
import org.llm4msr.model.training.Schemas;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.plan.ParameterStore;

/** A small log with every kind of field, and a model on it whose weights are all random. */
final class ScoredLog implements AutoCloseable {
  static final int USERS = 30;
  static final int ITEMS = 45;
  static final int WIDTH = 12;
  static final String LANGUAGE_MODEL = "checksum of a model";
  static final String POOL = "mean";
  private static final int ROWS = 500;

  private final Backend backend = Backends.open("cpu", new BackendOptions(1));
  private final ParameterStore store = new ParameterStore(backend);
  private final Dataset dataset;
  private final Folds folds;
  private final RecommenderModel model;
  private final KnowledgeTables knowledge;
  private final EvidenceCounts evidence;
  private final String name;

  ScoredLog(Backbone backbone, MetaConfig meta) {
    this(backbone, meta, Folds.NONE);
  }

  ScoredLog(Backbone backbone, MetaConfig meta, Folds folds) {
    name = backbone.name();
    dataset = build();
    this.folds = folds;
    RecommenderConfig config = new RecommenderConfig(6, 0.3, backbone, meta);
    knowledge = meta.isOff() ? null : new KnowledgeTables(vectors(), folds, meta.normalization());
    model = RecommenderModel.build(config, Schemas.of(dataset, knowledge, 128), DType.F32, false);
    ParameterInitializer.create(store, model, 3, dataset, knowledge);
    Random random = new Random(4);
    for (ModelParameter parameter : model.inputs().parameters()) {
      if (parameter.group() != ParameterGroup.KNOWLEDGE) {
        disturb(store.get(parameter.value().name()).segment(), random);
      }
    }
    evidence = EvidenceCounts.forModel(config, dataset);
  }

  private static void disturb(MemorySegment weights, Random random) {
    for (long i = 0; i < weights.byteSize() / Float.BYTES; i++) {
      float before = weights.getAtIndex(JAVA_FLOAT, i);
      float change = (float) random.nextDouble(-0.25, 0.25);
      // Variances start at 1 and stay positive.
      weights.setAtIndex(JAVA_FLOAT, i, before + change);
    }
  }

  private static Dataset build() {
    Random random = new Random(1);
    List<Scenario> scenarios =
        List.of(new Scenario("web"), new Scenario("store"), new Scenario("app"));
    DatasetBuilder builder = new DatasetBuilder("scored", "", scenarios);
    NumberColumn age = new NumberColumn();
    CodedColumn kind = new CodedColumn();
    ListColumn tags = new ListColumn();
    CodedColumn hour = new CodedColumn();
    NumberColumn price = new NumberColumn();
    ListColumn words = new ListColumn();
    for (int u = 0; u < USERS; u++) {
      builder.user("u" + u);
      age.add(u % 7 == 0 ? Double.NaN : 20 + random.nextInt(50));
    }
    builder.user("nobody");
    age.add(Double.NaN);
    for (int i = 0; i < ITEMS; i++) {
      builder.item("i" + i);
      kind.add("kind" + i % 5);
      List<String> some = new ArrayList<>();
      for (int t = 0; t < i % 4; t++) {
        some.add("tag" + random.nextInt(9));
      }
      tags.set(i, some);
    }
    builder.item("nothing");
    kind.add(null);
    tags.set(ITEMS, List.of());
    for (int row = 0; row < ROWS; row++) {
      builder.row(
          random.nextInt(USERS),
          random.nextInt(ITEMS),
          random.nextInt(3),
          random.nextInt(2),
          null,
          row);
      builder.logit(random.nextGaussian());
      hour.add("h" + random.nextInt(6));
      price.add(row % 11 == 0 ? Double.NaN : 1e6 + 10 * random.nextGaussian());
      words.set(row, random.ints(row % 5, 0, 12).mapToObj(i -> "word" + i).toList());
    }
    builder.split(new SplitRule.Random(new SplitRule.Ratios(6, 1, 3), 1));
    builder.userIdField(1);
    builder.itemIdField(1);
    builder.numberField("age", Field.Owner.USER, age, 0);
    builder.field("kind", Field.Owner.ITEM, kind, 1);
    builder.listField("tags", Field.Owner.ITEM, tags, FieldOptions.DEFAULT, Pooling.MEAN, 4);
    builder.field("hour", Field.Owner.ROW, hour, 1);
    builder.numberField("price", Field.Owner.ROW, price, 0);
    builder.listField("words", Field.Owner.ROW, words, FieldOptions.DEFAULT, Pooling.SUM, 3);
    builder.historyField("liked", Pooling.MEAN, 4);
    return builder.build();
  }

  /** Tells a scorer what a row says about itself. */
  static void setContext(Scorer scorer, Dataset dataset, int row) {
    List<String> names = scorer.snapshot().contextFields();
    for (Field field : dataset.fields()) {
      int at = names.indexOf(field.name());
      if (at < 0) {
        continue;
      }
      int id = field.id(row);
      switch (scorer.snapshot().contextKind(at)) {
        case CATEGORY -> scorer.setContext(at, id == 0 ? null : field.vocabulary().value(id));
        case NUMBER ->
            scorer.setContext(
                at, id == 0 ? Double.NaN : field.mean() + field.factor(row, 0) * field.deviation());
        case LIST -> {
          List<String> values = new ArrayList<>();
          for (int k = 0; k < field.length() && field.id(row, k) != 0; k++) {
            values.add(field.vocabulary().value(field.id(row, k)));
          }
          scorer.setContext(at, values);
        }
      }
    }
  }

  /** A user's vector as the model reads it from now on. */
  void setVector(int user, float[] scaled) {
    MemorySegment table = store.get(RecommenderModel.USER_KNOWLEDGE).segment();
    long at = (long) folds.profile(user, Folds.ALL_ROWS) * WIDTH * Float.BYTES;
    MemorySegment.copy(scaled, 0, table, JAVA_FLOAT, at, WIDTH);
  }

  static KnowledgeVectors vectors() {
    return new KnowledgeVectors() {
      @Override
      public int width() {
        return WIDTH;
      }

      @Override
      public boolean read(String id, float[] vector) {
        if (id.contains("nobody")) {
          return false;
        }
        Random random = new Random(id.hashCode());
        for (int i = 0; i < vector.length; i++) {
          vector[i] = (float) random.nextGaussian();
        }
        return true;
      }
    };
  }

  Dataset dataset() {
    return dataset;
  }

  void export(Path file, boolean precompute) {
    export(file, new SnapshotWriter.Options(precompute, Precision.F32));
  }

  void export(Path file, SnapshotWriter.Options options) {
    VectorOrigin origin =
        knowledge == null
            ? null
            : new VectorOrigin(LANGUAGE_MODEL, POOL, knowledge.userScaling(dataset));
    SnapshotWriter.write(
        file,
        new SnapshotWriter.Source(name, model, store, dataset, folds, evidence, origin),
        options);
  }

  /** What evaluation says of the test rows. */
  Predictions predict() {
    try (Evaluator evaluator = new Evaluator(store, model, dataset, folds, evidence)) {
      return evaluator.predict(Split.TEST);
    }
  }

  @Override
  public void close() {
    store.close();
    backend.close();
  }
}
