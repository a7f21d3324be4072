package org.llm4msr.app.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.app.run.ModelSettings.VectorSource;
import org.llm4msr.app.run.RunConfig.DataSource;
import org.llm4msr.app.run.RunConfig.Environment;
import org.llm4msr.app.run.RunConfig.KnowledgeSource;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.training.LearningRateSchedule;
import org.llm4msr.model.training.RowWeights;
import org.llm4msr.model.training.StopMetric;
import org.llm4msr.model.training.TrainingConfig;
import org.llm4msr.runtime.UserError;

class RunConfigTest {
  @TempDir private Path folder;

  RunConfig example() {
    return config(MetaLevels.BOTH, "/a", 0.1, 2);
  }

  private static RunConfig config(MetaLevels levels, String path, double rate, int threads) {
    ModelSettings model =
        new ModelSettings(
            BackboneKind.STAR_PAPER,
            Map.of("hidden", "8,4"),
            16,
            0.1,
            levels,
            UserMode.RESIDUAL,
            ScenarioMode.BOTTOM,
            Fusion.GATE,
            2,
            List.of(8),
            List.of(),
            Generators.AFFINE,
            Normalization.RMS,
            VectorSource.LLM,
            true,
            0);
    OptimizerConfig adam = new OptimizerConfig(rate, .9, .999, 1e-8, 1e-3, 0, 1e-5, true, 2);
    return new RunConfig(
        new DataSource(path, "/data", Map.of("store", 0.05), "", "d1"),
        levels == MetaLevels.OFF ? null : new KnowledgeSource("/k # ä", "k1", 2),
        model,
        new TrainingConfig(
            Long.MIN_VALUE,
            64,
            3,
            2,
            StopMetric.SCENARIO_AUC,
            0,
            7,
            adam,
            new LearningRateSchedule(LearningRateSchedule.Shape.STEP, 3, 2, 0.5),
            new RowWeights(2, Map.of("a b", 0.5), true),
            "a b"),
        new Environment("0: x", "25", "Linux", "cpu", "AVX2: yes", threads));
  }

  @Test
  void aConfigurationSurvivesItsFile() throws IOException {
    for (MetaLevels levels : MetaLevels.values()) {
      RunConfig config = config(levels, "/a b/ü: \"x\".yaml", 0.1 + 0.2, 2);
      Path file = Files.writeString(folder.resolve("config.yaml"), config.toYaml());
      assertThat(RunConfig.read(file)).isEqualTo(config);
      assertThat(RunConfig.read(file).fingerprint()).isEqualTo(config.fingerprint());
    }
    assertThat(config(MetaLevels.USER, "/d", 1, 1).toYaml())
        .contains("backbone: star_paper", "stop_metric: scenario_auc", "user_mode: residual");
  }

  @Test
  void theFingerprintKnowsWhatDecidesTheResult() {
    String print = config(MetaLevels.BOTH, "/a", 0.1, 2).fingerprint();
    assertThat(config(MetaLevels.BOTH, "/b", 0.1, 4).fingerprint()).isEqualTo(print);
    assertThat(config(MetaLevels.BOTH, "/a", 0.2, 2).fingerprint()).isNotEqualTo(print);
    assertThat(config(MetaLevels.USER, "/a", 0.1, 2).fingerprint()).isNotEqualTo(print);
  }

  @Test
  void aBackboneTrainedOtherwiseThanTheLevelsIsAnotherRun() throws IOException {
    RunConfig joint = config(MetaLevels.BOTH, "/a", 0.1, 2);
    RunConfig beside = withBackbone(joint, 2, joint.training());
    RunConfig other = withBackbone(joint, 2, config(MetaLevels.BOTH, "/a", 0.2, 2).training());
    // Alike says nothing, and a model that is trained in one go has no such backbone.
    assertThat(beside.backboneTraining()).isNull();
    assertThat(withBackbone(joint, 0, other.backboneTraining())).isEqualTo(joint);
    assertThat(other.fingerprint()).isNotEqualTo(beside.fingerprint());
    assertThat(other.trainingOfBackbone().optimizer().learningRate()).isEqualTo(0.2);
    Path file = Files.writeString(folder.resolve("config.yaml"), other.toYaml());
    assertThat(RunConfig.read(file)).isEqualTo(other);
  }

  private static RunConfig withBackbone(RunConfig run, int folds, TrainingConfig training) {
    ModelSettings m = run.model();
    ModelSettings model =
        new ModelSettings(
            m.backbone(),
            m.backboneOptions(),
            m.embeddingDim(),
            m.dropout(),
            m.meta(),
            m.userMode(),
            m.scenarioInput(),
            m.fusion(),
            m.rank(),
            m.userHidden(),
            m.scenarioHidden(),
            m.generators(),
            m.normalize(),
            m.vectors(),
            m.scenarioId(),
            folds);
    return new RunConfig(
        run.data(), run.knowledge(), model, run.training(), training, run.environment());
  }

  @Test
  void aFileFromBeforeTheBackboneHadATrainingOfItsOwnIsRead() throws IOException {
    RunConfig config = config(MetaLevels.BOTH, "/a", 0.1, 2);
    String older = config.toYaml().replaceFirst("(?m)^backbone_training: null\n", "");
    assertThat(older).isNotEqualTo(config.toYaml());
    Path file = Files.writeString(folder.resolve("config.yaml"), older);
    assertThat(RunConfig.read(file)).isEqualTo(config);
  }

  @Test
  void aBrokenFileIsNamed() throws IOException {
    Path file = folder.resolve("config.yaml");
    String yaml = config(MetaLevels.BOTH, "/a", 0.1, 2).toYaml();
    for (String broken :
        List.of(
            yaml.replace("rank:", "rnk:"),
            yaml.replace("auxiliary:", "auxilliary:"),
            yaml.replace("scenario_dim: 16", "scenario_dim: 0"),
            yaml.replace("batch_size: 64", "batch_size: many"),
            yaml.replace("batch_size: 64", "batch_size: 0"),
            "model: [",
            "",
            "data: {}")) {
      Files.writeString(file, broken);
      assertThatThrownBy(() -> RunConfig.read(file))
          .isInstanceOf(UserError.class)
          .hasMessageStartingWith(file.toString());
    }
  }
}
