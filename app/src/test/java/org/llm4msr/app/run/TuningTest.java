package org.llm4msr.app.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
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
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

class TuningTest {
  private static final BooleanSupplier NEVER = () -> false;

  @TempDir private Path folder;

  /** Stopped again and again, every training goes on from where it was, and the end is the same. */
  @Test
  void aStoppedSearchGoesOnWithinATraining() throws IOException {
    TinyShop shop = TinyShop.write(folder, 600);
    ModelSettings model =
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
    TrainingConfig training =
        new TrainingConfig(1, 100, 3, 0, StopMetric.AUC, 0, 1, OptimizerConfig.adam(1e-2, false));
    Tuning.Budget budget = new Tuning.Budget(2, 1e-3, 1e-2, 2, 3);
    try (TrainingInputs inputs =
            TrainingInputs.load(Path.of(shop.data()), Path.of(shop.knowledge()), Map.of());
        Backend backend = Backends.open("cpu", new BackendOptions(1))) {
      Search search = new Search(inputs, backend, model, training, budget);
      assertThat(search.run("whole", NEVER)).isTrue();
      assertThat(search.err.toString()).doesNotContain("going on");

      int stops = 0;
      while (!search.run("stopped", after(7))) {
        stops++;
      }
      // Eight trainings of 15 steps, seven steps a call, beside the backbone's and its copies'.
      assertThat(stops).isGreaterThan(8 * 15 / 7);
      assertThat(search.err.toString()).contains("going on at step 7", "going on at step 14");
    }
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

  private final class Search {
    private final TrainingInputs inputs;
    private final Backend backend;
    private final ModelSettings model;
    private final TrainingConfig training;
    private final Tuning.Budget budget;
    private final StringWriter err = new StringWriter();

    private Search(
        TrainingInputs inputs,
        Backend backend,
        ModelSettings model,
        TrainingConfig training,
        Tuning.Budget budget) {
      this.inputs = inputs;
      this.backend = backend;
      this.model = model;
      this.training = training;
      this.budget = budget;
    }

    private boolean run(String name, BooleanSupplier stop) {
      Environment environment = new Environment("1", "25", "Linux", "cpu", "", 1);
      try (Tuning tuning =
          new Tuning(
              folder.resolve(name), inputs, backend, environment, new PrintWriter(err, true))) {
        return tuning.run(model, training, budget, stop).isPresent();
      }
    }
  }
}
