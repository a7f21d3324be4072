package org.llm4msr.model.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.recommender.backbone.Star;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.memory.AllocationTracker;

/** Levels of LLM4MSR beside a backbone that was trained before. */
class BesideTest {
  private static final BooleanSupplier NEVER = () -> false;
  private static final Backbone BOTTOM = new SharedBottom(List.of(12), List.of(6));
  private static final MetaConfig META =
      new MetaConfig(
          UserMode.LOGIT,
          List.of(4),
          0,
          false,
          ScenarioMode.CONTENT,
          List.of(4),
          2,
          Generators.CENTRED,
          Normalization.RMS,
          Fusion.SCALARS,
          false);

  private final Backend backend = Backends.open("reference", new BackendOptions(1));
  private final PlantedLog log =
      PlantedLog.of(6_000, 120, new SplitRule.ColdUsers(new SplitRule.Ratios(8, 1, 1), 5), 2);
  private final KnowledgeTables knowledge = log.knowledge(Normalization.RMS);

  @TempDir private Path folder;

  @AfterEach
  void nothingStaysOpen() {
    backend.close();
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private static RecommenderConfig model(Backbone backbone, MetaConfig meta) {
    return new RecommenderConfig(6, 0.05, backbone, meta);
  }

  private static TrainingConfig training(int epochs) {
    OptimizerConfig adam = OptimizerConfig.adam(1e-2, false);
    return new TrainingConfig(7, 128, epochs, 0, StopMetric.AUC, 0, 0, adam);
  }

  private static double auc(Predictions predictions) {
    return predictions.metrics().overall().auc();
  }

  /**
   * The levels are trained against logits that know nothing, and predict with the backbone itself,
   * which they leave as it is.
   */
  @Test
  void levelsAreTrainedBesideATrainedBackbone() {
    Path file = folder.resolve("backbone.safetensors");
    Predictions alone;
    try (Trainer trainer =
        new Trainer(backend, log.dataset(), null, model(BOTTOM, MetaConfig.off()), training(2))) {
      trainer.fit(new TrainingListener() {}, NEVER);
      alone = trainer.predict(Split.TEST);
      ModelFile.write(file, trainer.model(), trainer.parameters(), Map.of());
    }
    try (Dataset unknowing = log.dataset().withLogits(new float[log.dataset().rows()], Folds.NONE);
        Trainer trainer =
            new Trainer(backend, unknowing, knowledge, model(BOTTOM, META), training(12), file)) {
      assertThat(trainer.predict(Split.TEST).probabilities())
          .containsExactly(alone.probabilities());
      trainer.fit(new TrainingListener() {}, NEVER);
      Predictions test = trainer.predict(Split.TEST);
      assertThat(auc(test)).isGreaterThan(auc(alone) + 0.1);
      assertThat(auc(test)).isGreaterThan(0.75);
      Path whole = folder.resolve("whole.safetensors");
      ModelFile.write(whole, trainer.model(), trainer.parameters(), Map.of());
      try (Safetensors before = Safetensors.open(file);
          Safetensors after = Safetensors.open(whole)) {
        assertThat(after.names()).containsAll(before.names());
        for (String name : before.names()) {
          assertThat(after.tensor(name).data().mismatch(before.tensor(name).data()))
              .as(name)
              .isEqualTo(-1);
        }
      }
    }
    RecommenderConfig other = model(new Star(List.of(12), false, List.of(), 0), META);
    assertThatThrownBy(
            () -> new Trainer(backend, log.dataset(), knowledge, other, training(1), file))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("backbone.safetensors")
        .hasMessageContaining("is not a weight of this model");
  }
}
