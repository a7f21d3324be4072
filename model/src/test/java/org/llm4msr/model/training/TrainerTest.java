package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.metrics.Auc;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.External;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.recommender.backbone.Star;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.memory.AllocationTracker;

@ParameterizedClass
@MethodSource("backends")
class TrainerTest {
  private static final SplitRule.Ratios EIGHT_ONE_ONE = new SplitRule.Ratios(8, 1, 1);
  private static final SplitRule RANDOM = new SplitRule.Random(EIGHT_ONE_ONE, 3);
  private static final Backbone STAR = new Star(List.of(12), false, List.of(), 0);
  private static final BooleanSupplier NEVER = () -> false;

  private final Backend backend;

  @TempDir private Path folder;

  TrainerTest(String name) {
    backend = Backends.open(name, new BackendOptions(2));
  }

  static List<String> backends() {
    return Backends.providers().stream()
        .filter(provider -> provider.availability().available())
        .map(BackendProvider::name)
        .toList();
  }

  @AfterEach
  void nothingStaysOpen() {
    backend.close();
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private static RecommenderConfig model(Backbone backbone, MetaConfig meta) {
    return new RecommenderConfig(6, 0.05, backbone, meta);
  }

  private static MetaConfig meta(UserMode user, ScenarioMode scenario, Fusion fusion) {
    return new MetaConfig(
        user,
        List.of(4),
        0,
        false,
        scenario,
        List.of(4),
        2,
        Generators.CENTRED,
        Normalization.RMS,
        fusion,
        false);
  }

  private static TrainingConfig training(int epochs, int patience, double learningRate) {
    OptimizerConfig adam = OptimizerConfig.adam(learningRate, false);
    return new TrainingConfig(7, 128, epochs, patience, StopMetric.AUC, 0, 0, adam);
  }

  private static double auc(Predictions predictions, double[] scores) {
    byte[] labels = new byte[predictions.rows().length];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = (byte) predictions.dataset().label(predictions.rows()[i]);
    }
    return Auc.of(scores, labels);
  }

  @Test
  void aPlantedRuleIsLearnt() {
    PlantedLog log = PlantedLog.of(4_000, 30, RANDOM, 1);
    for (Backbone backbone : List.of(STAR, new SharedBottom(List.of(12), List.of(6)))) {
      try (Trainer trainer =
          new Trainer(
              backend,
              log.dataset(),
              null,
              model(backbone, MetaConfig.off()),
              training(12, 3, 1e-2))) {
        assertThat(trainer.fit(new TrainingListener() {}, NEVER))
            .isEqualTo(Trainer.Outcome.FINISHED);
        Predictions test = trainer.predict(Split.TEST);
        assertThat(test.rows()).isEqualTo(log.dataset().rowsOf(Split.TEST));
        double bias = auc(test, log.biasScores(test.rows()));
        assertThat(bias).isLessThan(0.6);
        assertThat(auc(test, test.probabilities())).isGreaterThan(bias + 0.2);
        assertThat(trainer.history().getLast().trainLoss())
            .isLessThan(trainer.history().getFirst().trainLoss());
      }
    }
  }

  @Test
  void knowledgeHelpsUsersThatTrainingHasNeverSeenAndRandomVectorsDoNot() {
    PlantedLog log = PlantedLog.of(6_000, 120, new SplitRule.ColdUsers(EIGHT_ONE_ONE, 5), 2);
    MetaConfig meta = meta(UserMode.RESIDUAL, ScenarioMode.BOTTOM, Fusion.ALPHA);
    KnowledgeTables real = log.knowledge(Normalization.RMS);
    KnowledgeTables random =
        new KnowledgeTables(new RandomVectors(real.vectors(), 9), Folds.NONE, real.normalization());
    double without = coldUserAuc(log.dataset(), null, MetaConfig.off());
    double withReal = coldUserAuc(log.dataset(), real, meta);
    double withRandom = coldUserAuc(log.dataset(), random, meta);
    assertThat(without).isLessThan(0.6);
    assertThat(withRandom).isLessThan(0.6);
    assertThat(withReal).isGreaterThan(0.75);
  }

  @Test
  void knowledgeLiftsAnExistingRecommenderThatJoinsWithItsLogit() {
    PlantedLog log = PlantedLog.of(6_000, 120, new SplitRule.ColdUsers(EIGHT_ONE_ONE, 5), 2);
    Dataset dataset = log.dataset();
    double alone;
    Path file = folder.resolve("external.safetensors");
    try (Trainer trainer =
        new Trainer(
            backend,
            dataset,
            null,
            model(new External(List.of(4)), MetaConfig.off()),
            training(3, 1, 1e-2))) {
      trainer.fit(new TrainingListener() {}, NEVER);
      assertThat(trainer.weights()).isZero();
      Predictions test = trainer.predict(Split.TEST);
      for (int i = 0; i < test.rows().length; i++) {
        double expected = 1 / (1 + Math.exp(-dataset.external(test.rows()[i])[0]));
        assertThat(test.probabilities()[i]).isCloseTo(expected, within(1e-6));
      }
      alone = test.metrics().overall().auc();
      ModelFile.write(file, trainer.model(), trainer.parameters(), Map.of());
      ModelFile.read(file, trainer.model(), trainer.parameters());
    }
    KnowledgeTables knowledge = log.knowledge(Normalization.RMS);
    MetaConfig meta = meta(UserMode.RESIDUAL, ScenarioMode.BOTTOM, Fusion.ADD);
    try (Trainer trainer =
        new Trainer(
            backend,
            dataset,
            knowledge,
            model(new External(List.of(4)), meta),
            training(12, 0, 1e-2))) {
      trainer.fit(new TrainingListener() {}, NEVER);
      assertThat(trainer.predict(Split.TEST).metrics().overall().auc()).isGreaterThan(alone + 0.05);
    }
  }

  private double coldUserAuc(Dataset dataset, KnowledgeTables knowledge, MetaConfig meta) {
    try (Trainer trainer =
        new Trainer(backend, dataset, knowledge, model(STAR, meta), training(12, 0, 1e-2))) {
      trainer.fit(new TrainingListener() {}, NEVER);
      return trainer.predict(Split.TEST).metrics().overall().auc();
    }
  }

  @Test
  void earlyStoppingKeepsTheBestWeights() {
    // A rate this high overfits 30 users' few rows within epochs.
    PlantedLog log = PlantedLog.of(1_500, 60, RANDOM, 4);
    try (Trainer trainer =
        new Trainer(
            backend, log.dataset(), null, model(STAR, MetaConfig.off()), training(60, 3, 2e-2))) {
      trainer.fit(new TrainingListener() {}, NEVER);
      List<HistoryEntry> history = trainer.history();
      assertThat(history).hasSize(trainer.bestEntry() + 1 + 3).hasSizeLessThan(60);
      double best = history.stream().mapToDouble(HistoryEntry::validAuc).max().orElseThrow();
      assertThat(history.get(trainer.bestEntry()).validAuc()).isEqualTo(best);
      assertThat(history.getLast().validAuc()).isLessThan(best);
      assertThat(trainer.predict(Split.VALID).metrics().overall().auc()).isEqualTo(best);
    }
  }

  @ParameterizedTest
  @EnumSource(StopMetric.class)
  void everyStopMetricPicksItsOwnBest(StopMetric metric) {
    PlantedLog log = PlantedLog.of(1_500, 60, RANDOM, 4);
    OptimizerConfig adam = OptimizerConfig.adam(2e-2, true);
    TrainingConfig config = new TrainingConfig(7, 128, 8, 0, metric, 5, 0, adam);
    try (Trainer trainer =
        new Trainer(backend, log.dataset(), null, model(STAR, MetaConfig.off()), config)) {
      trainer.fit(new TrainingListener() {}, NEVER);
      // 1,200 training rows or so: 9 or 10 steps an epoch.
      assertThat(trainer.history()).hasSizeBetween(14, 17);
      double[] scores =
          trainer.history().stream()
              .mapToDouble(entry ->
                  switch (metric) {
                    case AUC -> entry.validAuc();
                    case SCENARIO_AUC -> entry.validScenarioAuc();
                    case LOGLOSS -> -entry.validLogLoss();
                  })
              .toArray();
      for (double score : scores) {
        assertThat(score).isLessThanOrEqualTo(scores[trainer.bestEntry()]);
      }
    }
  }

  private static final class Copy {
    private final Map<String, byte[]> tensors = new HashMap<>();
    private final double[] predictions;

    private Copy(Trainer trainer) {
      for (String name : trainer.parameters().names()) {
        tensors.put(name, trainer.parameters().get(name).segment().toArray(JAVA_BYTE));
      }
      predictions = trainer.predict(Split.TEST).probabilities();
    }

    private void assertSameBits(Copy other) {
      assertThat(other.tensors.keySet()).isEqualTo(tensors.keySet());
      tensors.forEach(
          (name, bytes) -> assertThat(other.tensors.get(name)).as(name).isEqualTo(bytes));
      assertThat(other.predictions).isEqualTo(predictions);
    }
  }

  @Test
  void anInterruptedAndResumedTrainingGivesTheSameBits() {
    PlantedLog log = PlantedLog.of(900, 60, RANDOM, 4);
    MetaConfig meta = meta(UserMode.CONCAT, ScenarioMode.FEATURES, Fusion.EVIDENCE);
    Backbone paper = new Star(List.of(12), true, List.of(4), 3);
    RecommenderConfig model = new RecommenderConfig(6, 0.05, paper, meta, 0.2);
    KnowledgeTables knowledge =
        new KnowledgeTables(log.vectors(true), Folds.NONE, Normalization.RMS);
    OptimizerConfig decaying =
        new OptimizerConfig(1e-2, .9, .999, 1e-8, 1e-3, 1e-5, 1e-3, false, 0.5);
    TrainingConfig config =
        new TrainingConfig(
            7,
            128,
            6,
            2,
            StopMetric.SCENARIO_AUC,
            0,
            4,
            decaying,
            new LearningRateSchedule(LearningRateSchedule.Shape.COSINE, 5, 1, 1),
            new RowWeights(2, Map.of("store", 3.0), true),
            "store");
    Copy undisturbed;
    List<HistoryEntry> history;
    try (Trainer trainer = new Trainer(backend, log.dataset(), knowledge, model, config)) {
      assertThat(trainer.coverage()).isEqualTo(new KnowledgeTables.Coverage(60, 30, 0));
      trainer.fit(new TrainingListener() {}, NEVER);
      undisturbed = new Copy(trainer);
      history = trainer.history();
    }

    // Stopped after 3 steps, after an epoch and 1 step, and so on, each time in a new trainer.
    Path file = folder.resolve("checkpoint");
    Trainer.Outcome outcome = Trainer.Outcome.INTERRUPTED;
    int parts = 0;
    while (outcome == Trainer.Outcome.INTERRUPTED) {
      try (Trainer trainer = new Trainer(backend, log.dataset(), knowledge, model, config)) {
        trainer.checkpointTo(file, "planted");
        if (Files.exists(file)) {
          trainer.resume();
        }
        long until = trainer.step() + 3 + 8L * (parts % 2);
        outcome = trainer.fit(new TrainingListener() {}, () -> trainer.step() >= until);
        parts++;
        if (outcome == Trainer.Outcome.FINISHED) {
          new Copy(trainer).assertSameBits(undisturbed);
          assertThat(trainer.history())
              .usingRecursiveFieldByFieldElementComparatorIgnoringFields(
                  "seconds", "samplesPerSecond")
              .isEqualTo(history);
        }
      }
    }
    assertThat(parts).isGreaterThan(4);
  }

  @Test
  void metaNetworksLeaveTheBackbonesStartAlone() {
    PlantedLog log = PlantedLog.of(300, 20, RANDOM, 4);
    MetaConfig meta = meta(UserMode.RESIDUAL, ScenarioMode.BOTTOM, Fusion.ALPHA);
    KnowledgeTables knowledge = log.knowledge(Normalization.RMS);
    TrainingConfig config = training(1, 0, 1e-2);
    try (Trainer alone =
            new Trainer(backend, log.dataset(), null, model(STAR, MetaConfig.off()), config);
        Trainer with = new Trainer(backend, log.dataset(), knowledge, model(STAR, meta), config)) {
      for (String name : alone.parameters().names()) {
        assertThat(with.parameters().get(name).segment().toArray(JAVA_BYTE))
            .as(name)
            .isEqualTo(alone.parameters().get(name).segment().toArray(JAVA_BYTE));
      }
    }
  }

  @Test
  void aCheckpointOfAnotherTrainingOrADamagedOneIsRefused() throws Exception {
    PlantedLog log = PlantedLog.of(1_500, 60, RANDOM, 4);
    Path file = folder.resolve("checkpoint");
    RecommenderConfig model = model(STAR, MetaConfig.off());
    TrainingConfig config = training(2, 0, 1e-2);
    try (Trainer trainer = new Trainer(backend, log.dataset(), null, model, config)) {
      trainer.checkpointTo(file, "a");
      trainer.fit(new TrainingListener() {}, NEVER);
    }
    try (Trainer trainer = new Trainer(backend, log.dataset(), null, model, config)) {
      trainer.checkpointTo(file, "b");
      assertThatThrownBy(trainer::resume)
          .isInstanceOf(UserError.class)
          .hasMessageContaining("other settings");
      byte[] bytes = Files.readAllBytes(file);
      Files.write(file, Arrays.copyOf(bytes, bytes.length / 2));
      trainer.checkpointTo(file, "a");
      assertThatThrownBy(trainer::resume)
          .isInstanceOf(UserError.class)
          .hasMessageContaining(file.toString());
    }
  }

  @Test
  void aLossThatIsNotFiniteStopsTrainingAndNamesTheCause() {
    PlantedLog log = PlantedLog.of(1_500, 60, RANDOM, 4);
    try (Trainer trainer =
        new Trainer(
            backend, log.dataset(), null, model(STAR, MetaConfig.off()), training(3, 0, 1e30))) {
      assertThatThrownBy(() -> trainer.fit(new TrainingListener() {}, NEVER))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("step")
          .hasMessageContaining("epoch 1")
          .hasMessageContaining("learning rate 1.0E30 is probably too high (try --lr 0.01 or");
      assertThat(trainer.diverged()).isTrue();
    }
    assertThat(Trainer.lowerRate(0.003)).hasToString("0.0003");
    assertThat(Trainer.lowerRate(1e-9)).hasToString("1E-10");
  }

  @Test
  void whatTheKnowledgeLacksIsNamed() {
    PlantedLog log = PlantedLog.of(1_500, 60, RANDOM, 4);
    RecommenderConfig model =
        model(STAR, meta(UserMode.RESIDUAL, ScenarioMode.BOTTOM, Fusion.ALPHA));
    KnowledgeVectors all = log.vectors(false);
    assertRefused(log, model, all, id -> id.startsWith("scenario/store"), "'scenario/store'");
    assertRefused(log, model, all, id -> id.startsWith("user/"), "user/u0");
  }

  private void assertRefused(
      PlantedLog log,
      RecommenderConfig model,
      KnowledgeVectors all,
      Predicate<String> missing,
      String message) {
    KnowledgeVectors lacking =
        new KnowledgeVectors() {
          @Override
          public int width() {
            return all.width();
          }

          @Override
          public boolean read(String id, float[] vector) {
            return !missing.test(id) && all.read(id, vector);
          }
        };
    KnowledgeTables tables = new KnowledgeTables(lacking, Folds.NONE, Normalization.L2);
    assertThatThrownBy(
            () -> new Trainer(backend, log.dataset(), tables, model, training(1, 0, 1e-2)))
        .isInstanceOf(UserError.class)
        .hasMessageContaining(message);
    assertThatThrownBy(() -> Trainer.check(log.dataset(), tables, model, training(1, 0, 1e-2)))
        .isInstanceOf(UserError.class)
        .hasMessageContaining(message);
  }

  private static TrainingConfig weighted(RowWeights weights, String stopScenario) {
    OptimizerConfig adam = OptimizerConfig.adam(1e-2, false);
    return new TrainingConfig(
        7,
        128,
        2,
        0,
        StopMetric.AUC,
        0,
        0,
        adam,
        LearningRateSchedule.CONSTANT,
        weights,
        stopScenario);
  }

  /** With weight 0 a scenario teaches nothing: its own factors and tower stay as they began. */
  @Test
  void rowsWithoutWeightTeachNothing() {
    PlantedLog log = PlantedLog.of(600, 30, RANDOM, 4);
    TrainingConfig config = weighted(new RowWeights(1, Map.of("store", 0.0), false), "");
    RecommenderConfig model = model(new SharedBottom(List.of(8), List.of(4)), MetaConfig.off());
    try (Trainer trainer = new Trainer(backend, log.dataset(), null, model, config)) {
      Map<String, float[]> before = towers(trainer);
      trainer.fit(new TrainingListener() {}, NEVER);
      Map<String, float[]> after = towers(trainer);
      before.forEach((name, start) -> {
        int half = start.length / 2;
        assertThat(Arrays.copyOfRange(after.get(name), half, start.length))
            .as("store's part of %s", name)
            .isEqualTo(Arrays.copyOfRange(start, half, start.length));
        assertThat(Arrays.copyOf(after.get(name), half))
            .as("web's part of %s", name)
            .isNotEqualTo(Arrays.copyOf(start, half));
      });
    }
  }

  private static Map<String, float[]> towers(Trainer trainer) {
    Map<String, float[]> towers = new HashMap<>();
    for (String name : trainer.parameters().names()) {
      if (name.startsWith("backbone.towers")) {
        towers.put(name, trainer.parameters().get(name).segment().toArray(JAVA_FLOAT));
      }
    }
    assertThat(towers).isNotEmpty();
    return towers;
  }

  @Test
  void stoppingCanLookAtOneScenario() {
    PlantedLog log = PlantedLog.of(1_500, 60, RANDOM, 4);
    RecommenderConfig model = model(STAR, MetaConfig.off());
    try (Trainer trainer =
        new Trainer(backend, log.dataset(), null, model, weighted(RowWeights.EQUAL, "store"))) {
      trainer.fit(new TrainingListener() {}, NEVER);
      double best = trainer.history().get(trainer.bestEntry()).score();
      assertThat(trainer.predict(Split.VALID).metrics().scenarios().get("store").auc())
          .isEqualTo(best);
      assertThat(trainer.history()).allMatch(entry -> entry.score() <= best);
    }
    assertThatThrownBy(() ->
            new Trainer(backend, log.dataset(), null, model, weighted(RowWeights.EQUAL, "shop")))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("no scenario 'shop'; there are web, store");
  }

  @Test
  void schedulesFollowTheirFormulas() {
    LearningRateSchedule cosine =
        new LearningRateSchedule(LearningRateSchedule.Shape.COSINE, 10, 1, 1);
    assertThat(cosine.factor(1, 10, 11)).isEqualTo(0.1);
    assertThat(cosine.factor(10, 10, 11)).isEqualTo(1);
    assertThat(cosine.factor(61, 10, 11)).isCloseTo(0.5, within(1e-12));
    assertThat(cosine.factor(110, 10, 11)).isBetween(0.0, 1e-3);
    LearningRateSchedule step =
        new LearningRateSchedule(LearningRateSchedule.Shape.STEP, 0, 2, 0.5);
    assertThat(step.factor(20, 10, 9)).isEqualTo(1);
    assertThat(step.factor(21, 10, 9)).isEqualTo(0.5);
    assertThat(step.factor(41, 10, 9)).isEqualTo(0.25);
    assertThat(LearningRateSchedule.CONSTANT.factor(1_000, 10, 9)).isEqualTo(1);
  }
}
