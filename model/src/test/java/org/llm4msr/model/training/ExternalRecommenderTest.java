package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.ExternalBatch;
import org.llm4msr.model.data.ExternalRecommender;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.External;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.scorer.SnapshotWriter;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;

/** An existing recommender that is asked batch by batch. */
class ExternalRecommenderTest {
  private final Backend backend = Backends.open("reference", new BackendOptions(1));

  @TempDir private Path folder;

  @AfterEach
  void closeBackend() {
    backend.close();
  }

  /** The recommender of {@code docs/datasets.md}: how popular an item was. */
  static final class Popularity implements ExternalRecommender {
    private final Map<String, Float> clickRate;

    Popularity(Map<String, Float> clickRate) {
      this.clickRate = clickRate;
    }

    @Override
    public void score(ExternalBatch batch, float[] out) {
      for (int b = 0; b < batch.size(); b++) {
        float p = clickRate.getOrDefault(batch.itemKey(b), 0.5f);
        out[b] = (float) Math.log(p / (1 - p));
      }
    }
  }

  /** Two numbers, of which only the product tells the label: no logit, but a representation. */
  private static float[] hidden(int row) {
    return new float[] {row % 2 == 0 ? 1 : -1, row / 2 % 2 == 0 ? 1 : -1};
  }

  /** Users and items say nothing of the labels. */
  private static DatasetBuilder log(boolean logits, boolean representations) {
    DatasetBuilder builder =
        new DatasetBuilder("log", "", List.of(new Scenario("web"), new Scenario("store")));
    for (int row = 0; row < 600; row++) {
      float[] r = hidden(row);
      int label = r[0] * r[1] > 0 ? 1 : 0;
      Split part = row % 10 == 8 ? Split.VALID : row % 10 == 9 ? Split.TEST : Split.TRAIN;
      int user = builder.user("u" + row * 7 % 20);
      builder.row(user, builder.item("i" + row % 29), row % 3 == 0 ? 1 : 0, label, part, row);
      if (logits) {
        builder.logit(logit(row));
      }
      if (representations) {
        builder.representation(r);
      }
    }
    return builder;
  }

  private static float logit(int row) {
    return (row % 13 - 6) / 5f;
  }

  private static Dataset build(DatasetBuilder builder) {
    builder.userIdField(1);
    builder.itemIdField(1);
    return builder.build();
  }

  private static Dataset asking(ExternalRecommender recommender) {
    DatasetBuilder builder = log(false, false);
    builder.external(recommender);
    return build(builder);
  }

  private Trainer trainer(Dataset dataset, MetaConfig meta) {
    KnowledgeTables knowledge =
        meta.isOff() ? null : new KnowledgeTables(new Lengths(), Folds.NONE, meta.normalization());
    return new Trainer(
        backend,
        dataset,
        knowledge,
        new RecommenderConfig(4, 0.1, new External(List.of(8)), meta),
        new TrainingConfig(1, 64, 12, 0, StopMetric.AUC, 0, 0, OptimizerConfig.adam(2e-2, false)));
  }

  /** A vector for everybody. */
  private record Lengths() implements KnowledgeVectors {
    @Override
    public int width() {
      return 2;
    }

    @Override
    public boolean read(String id, float[] vector) {
      vector[0] = id.length();
      vector[1] = id.hashCode() % 7;
      return true;
    }
  }

  private static MetaConfig both() {
    return new MetaConfig(
        MetaConfig.UserMode.RESIDUAL,
        List.of(4),
        0,
        false,
        MetaConfig.ScenarioMode.BOTTOM,
        List.of(4),
        2,
        MetaConfig.Generators.CENTRED,
        MetaConfig.Normalization.RMS,
        MetaConfig.Fusion.ALPHA,
        false);
  }

  private static Map<String, List<Float>> trained(Trainer trainer) {
    trainer.fit(new TrainingListener() {}, () -> false);
    Map<String, List<Float>> all = new HashMap<>();
    for (String name : trainer.parameters().names()) {
      MemorySegment memory = trainer.parameters().get(name).segment();
      List<Float> numbers = new ArrayList<>();
      for (long i = 0; i < memory.byteSize() / Float.BYTES; i++) {
        numbers.add(memory.getAtIndex(JAVA_FLOAT, i));
      }
      all.put(name, numbers);
    }
    return all;
  }

  @Test
  void askingForLogitsTrainsToTheBitsOfAColumn() {
    Set<Integer> asked = ConcurrentHashMap.newKeySet();
    Set<String> threads = ConcurrentHashMap.newKeySet();
    ExternalRecommender recommender =
        (batch, out) -> {
          threads.add(Thread.currentThread().getName());
          Dataset dataset = batch.dataset();
          for (int b = 0; b < batch.size(); b++) {
            int row = batch.row(b);
            asked.add(row);
            assertThat(batch.userKey(b)).isEqualTo(dataset.userKey(dataset.user(row)));
            assertThat(batch.itemKey(b)).isEqualTo(dataset.itemKey(batch.item(b)));
            assertThat(batch.scenario(b)).isEqualTo(dataset.scenario(row));
            out[b] = logit(row);
          }
        };
    try (Dataset column = build(log(true, false));
        Dataset asking = asking(recommender);
        Trainer expected = trainer(column, both());
        Trainer actual = trainer(asking, both())) {
      assertThat(trained(actual)).isEqualTo(trained(expected));
      assertThat(actual.predict(Split.TEST).probabilities())
          .containsExactly(expected.predict(Split.TEST).probabilities());
      assertThat(asked).hasSize(600);
      // Never the thread that trains.
      assertThat(threads).containsExactly("llm4msr-batches");
    }
  }

  @Test
  void aNetworkLearnsFromARepresentationInColumnsOrAskedFor() {
    ExternalRecommender recommender =
        new ExternalRecommender() {
          @Override
          public int representationWidth() {
            return 2;
          }

          @Override
          public void score(ExternalBatch batch, float[] out) {
            for (int b = 0; b < batch.size(); b++) {
              System.arraycopy(hidden(batch.row(b)), 0, out, 2 * b, 2);
            }
          }
        };
    try (Dataset columns = build(log(false, true));
        Dataset asking = asking(recommender)) {
      for (Dataset dataset : List.of(columns, asking)) {
        for (MetaConfig meta : List.of(MetaConfig.off(), both())) {
          try (Trainer trainer = trainer(dataset, meta)) {
            trainer.fit(new TrainingListener() {}, () -> false);
            assertThat(trainer.predict(Split.TEST).metrics().overall().auc()).isGreaterThan(0.99);
            assertThat(importance(trainer, dataset)).isGreaterThan(0.2);
            Path file = folder.resolve("refused.snapshot");
            assertThatThrownBy(() ->
                    SnapshotWriter.write(
                        file,
                        new SnapshotWriter.Source(
                            "external",
                            trainer.model(),
                            trainer.parameters(),
                            dataset,
                            Folds.NONE,
                            null,
                            null),
                        new SnapshotWriter.Options(true, Precision.F32)))
                .isInstanceOf(UserError.class)
                .hasMessageContaining("representation of an existing recommender")
                .hasMessageContaining("logit");
            assertThat(file).doesNotExist();
          }
        }
      }
    }
  }

  /** What the AUC loses when the representation is permuted over the rows. */
  private static double importance(Trainer trainer, Dataset dataset) {
    int[] rows = dataset.rowsOf(Split.TEST);
    try (ModelReader reader =
        new ModelReader(
            trainer.parameters(), trainer.model(), dataset, Folds.NONE, null, rows, 10_000)) {
      return reader.read(2, 1).importances().stream()
          .filter(importance -> importance.input() == ModelReading.Input.EXTERNAL)
          .mapToDouble(importance -> importance.losses().getFirst().mean())
          .sum();
    }
  }

  @Test
  void theExampleOfTheDocumentationAnswers() {
    try (Dataset dataset = asking(new Popularity(Map.of("i4", 0.75f)));
        Trainer trainer = trainer(dataset, MetaConfig.off())) {
      Predictions test = trainer.predict(Split.TEST);
      for (int i = 0; i < test.rows().length; i++) {
        boolean known = dataset.itemKey(dataset.item(test.rows()[i])).equals("i4");
        assertThat(test.probabilities()[i]).isCloseTo(known ? 0.75 : 0.5, within(1e-6));
      }
    }
  }

  static Stream<Arguments> hostile() {
    ExternalRecommender silent = (batch, out) -> {};
    ExternalRecommender beyond = (batch, out) -> out[batch.size()] = 1;
    ExternalRecommender infinite =
        (batch, out) -> {
          for (int b = 0; b < batch.size(); b++) {
            out[b] = batch.itemKey(b).equals("i7") ? Float.NEGATIVE_INFINITY : 0;
          }
        };
    ExternalRecommender offline =
        (batch, out) -> {
          throw new IOException("connection refused");
        };
    ExternalRecommender curious = (batch, out) -> out[0] = batch.row(-1);
    return Stream.of(
        Arguments.of(silent, List.of("gave nothing or NaN for row", "user u", "a finite logit")),
        Arguments.of(beyond, List.of("failed when asked for 64 numbers", "Index 64 out of bounds")),
        Arguments.of(infinite, List.of("gave -Infinity for row", "item i7, scenario")),
        Arguments.of(offline, List.of("failed", "IOException: connection refused")),
        Arguments.of(curious, List.of("failed", "Index -1 out of bounds for length 64")));
  }

  @ParameterizedTest
  @MethodSource("hostile")
  void whatItMustNotDoEndsInOneLine(ExternalRecommender recommender, List<String> parts) {
    try (Dataset dataset = asking(recommender);
        Trainer trainer = trainer(dataset, both())) {
      assertThatThrownBy(() -> trainer.fit(new TrainingListener() {}, () -> false))
          .isInstanceOf(UserError.class)
          .hasMessageContainingAll(parts.toArray(String[]::new))
          .hasMessageContaining(recommender.getClass().getName())
          .message()
          .doesNotContain("\n");
      assertThatThrownBy(() -> trainer.predict(Split.TEST)).isInstanceOf(UserError.class);
    }
  }

  @Test
  void columnsAndARecommenderToAskExcludeEachOther() {
    DatasetBuilder builder = log(true, false);
    builder.external((batch, out) -> {});
    assertThatThrownBy(() -> build(builder)).hasMessageContaining("one is to be asked as well");
  }
}
