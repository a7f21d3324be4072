package org.llm4msr.app.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.app.run.ModelSettings.VectorSource;
import org.llm4msr.app.run.RunConfig.Environment;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.training.StopMetric;
import org.llm4msr.model.training.TrainingConfig;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

class TuningTest {
  private static final BooleanSupplier NEVER = () -> false;

  private static final ModelSettings MODEL =
      new ModelSettings(
          BackboneKind.SHAREDBOTTOM,
          Map.of("hidden", "6"),
          4,
          0,
          MetaLevels.BOTH,
          UserMode.RESIDUAL,
          ScenarioMode.BOTTOM,
          Fusion.SCALARS,
          2,
          List.of(4),
          List.of(4),
          Generators.CENTRED,
          Normalization.STANDARD,
          VectorSource.LLM,
          false,
          2);

  /** Five steps an epoch. */
  private static final TrainingConfig TRAINING =
      new TrainingConfig(1, 100, 3, 0, StopMetric.AUC, 0, 1, OptimizerConfig.adam(1e-2, false));

  private static final Tuning.Budget BUDGET = new Tuning.Budget(2, 1e-3, 1e-2, 2, 3);

  @TempDir private Path folder;
  private final StringWriter err = new StringWriter();
  private TrainingInputs inputs;
  private Backend backend;

  @BeforeEach
  void open() throws IOException {
    TinyShop shop = TinyShop.write(folder, 600);
    inputs =
        TrainingInputs.load(
            Path.of(shop.data()), Path.of(shop.knowledge()), Map.of(), warning -> {});
    backend = Backends.open("cpu", new BackendOptions(1));
  }

  @AfterEach
  void close() {
    backend.close();
    inputs.close();
  }

  private boolean search(String name, BooleanSupplier stop) {
    Environment environment = new Environment("1", "25", "Linux", "cpu", "", 1);
    try (Tuning tuning =
        new Tuning(
            folder.resolve(name), inputs, backend, environment, new PrintWriter(err, true))) {
      return tuning.run(MODEL, TRAINING, BUDGET, stop).isPresent();
    }
  }

  /** Stopped again and again, every training goes on from where it was, and the end is the same. */
  @Test
  void aStoppedSearchGoesOnWithinATraining() throws IOException {
    assertThat(search("whole", NEVER)).isTrue();
    assertThat(err.toString()).doesNotContain("going on");

    int stops = 0;
    while (!search("stopped", after(7))) {
      stops++;
    }
    // Eight trainings of 15 steps, seven steps a call, beside the backbone's and its copies'.
    assertThat(stops).isGreaterThan(8 * 15 / 7);
    assertThat(err.toString()).contains("going on at step 7", "going on at step 14");
    assertThat(trials("stopped")).isEqualTo(trials("whole")).hasSize(8);
    assertThat(folder.resolve("stopped/trial")).doesNotExist();
  }

  private static BooleanSupplier after(int steps) {
    int[] asked = {0};
    return () -> ++asked[0] % steps == 0;
  }

  private List<ObjectNode> trials(String search) throws IOException {
    return Files.readAllLines(folder.resolve(search).resolve(Tuning.TRIALS)).stream()
        .map(line -> (ObjectNode) JsonMapper.shared().readTree(line))
        .map(node -> node.without("seconds"))
        .map(ObjectNode.class::cast)
        .toList();
  }

  /** It is not taken for a learning rate that is too high, which is a result. */
  @Test
  void aCheckpointThatCannotBeWrittenEndsTheSearch() {
    Path trial = folder.resolve("broken/trial");
    BooleanSupplier breaks =
        () -> {
          replaceByAFile(trial);
          return false;
        };
    assertThatThrownBy(() -> search("broken", breaks))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("checkpoint");
    assertThat(folder.resolve("broken").resolve(Tuning.TRIALS)).doesNotExist();
  }

  private static void replaceByAFile(Path directory) {
    try (Stream<Path> files = Files.list(directory)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
      Files.delete(directory);
      Files.writeString(directory, "");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
