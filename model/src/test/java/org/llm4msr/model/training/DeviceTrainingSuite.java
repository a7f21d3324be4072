package org.llm4msr.model.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
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
import org.llm4msr.model.recommender.backbone.Mmoe;
import org.llm4msr.model.recommender.backbone.Star;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.memory.AllocationTracker;

/**
 * Training with knowledge of users and scenarios on a device, beside the C kernels. A subclass says
 * which.
 */
abstract class DeviceTrainingSuite {
  private static final int STEPS = 100;

  abstract BackendProvider provider();

  @BeforeEach
  void skipIfUnavailable() {
    BackendProvider.Availability availability = provider().availability();
    assumeTrue(availability.available(), availability::explanation);
  }

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  static Stream<Arguments> trainings() {
    OptimizerConfig exact = new OptimizerConfig(1e-2, 0.9, 0.999, 1e-8, 1e-5, 1e-6, 1e-6, false, 0);
    OptimizerConfig lazyAndClipped =
        new OptimizerConfig(1e-2, 0.9, 0.999, 1e-8, 0, 1e-6, 0, true, 0.5);
    return Stream.of(
        Arguments.of(new Star(List.of(16, 8), true, List.of(8), 4), exact),
        Arguments.of(new Star(List.of(16, 8), true, List.of(8), 4), lazyAndClipped),
        Arguments.of(new Mmoe(3, List.of(16), List.of(8)), lazyAndClipped));
  }

  @ParameterizedTest
  @MethodSource("trainings")
  void lossesFollowThoseOfTheCpu(Backbone backbone, OptimizerConfig optimizer) {
    PlantedLog log =
        PlantedLog.of(6_000, 120, new SplitRule.Random(new SplitRule.Ratios(8, 1, 1), 3), 2);
    Run cpu = train("cpu", log, backbone, optimizer);
    Run device = train(provider().name(), log, backbone, optimizer);
    assertThat(cpu.losses).hasSizeGreaterThanOrEqualTo(STEPS);
    double mean = cpu.losses.stream().mapToDouble(loss -> loss).average().orElseThrow();
    for (int step = 0; step < STEPS; step++) {
      assertThat(device.losses.get(step))
          .as("loss of step %d", step)
          .isCloseTo(cpu.losses.get(step), within(1e-4 * mean));
    }
    // It has learnt something, and predicts the same.
    assertThat(cpu.losses.get(STEPS - 1)).isLessThan(cpu.losses.get(0) - 0.05);
    for (int i = 0; i < cpu.probabilities.length; i++) {
      assertThat(device.probabilities[i]).isCloseTo(cpu.probabilities[i], within(1e-3));
    }
  }

  private record Run(List<Double> losses, double[] probabilities) {}

  private static Run train(
      String device, PlantedLog log, Backbone backbone, OptimizerConfig optimizer) {
    MetaConfig meta =
        new MetaConfig(
            UserMode.RESIDUAL,
            List.of(4),
            0,
            false,
            ScenarioMode.BOTTOM,
            List.of(4),
            2,
            Generators.CENTRED,
            Normalization.RMS,
            Fusion.ALPHA,
            false);
    TrainingConfig config = new TrainingConfig(7, 128, 3, 0, StopMetric.AUC, 0, 0, optimizer);
    List<Double> losses = new ArrayList<>();
    TrainingListener listener =
        new TrainingListener() {
          @Override
          public void onStep(int epoch, long rowsDone, long rows, double loss) {
            losses.add(loss);
          }
        };
    try (Backend backend = Backends.open(device, new BackendOptions(2));
        Trainer trainer =
            new Trainer(
                backend,
                log.dataset(),
                log.knowledge(Normalization.RMS),
                new RecommenderConfig(6, 0.05, backbone, meta),
                config)) {
      trainer.fit(listener, () -> losses.size() >= STEPS + 5);
      return new Run(losses, trainer.predict(Split.TEST).probabilities());
    }
  }
}
