package org.llm4msr.model.recommender;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.backend.Backends;

/**
 * Backbones, meta networks, fusions and optimisers against PyTorch in double precision. A subclass
 * says on which backends: its methods cases and streams give all of them for its settings.
 */
abstract class RecommenderGoldenSuite {
  /**
   * A backend, its type, whether training forms the layers generated for users, and how far results
   * may be off.
   */
  record Setting(
      String backend,
      DType type,
      boolean formed,
      double logits,
      double gradients,
      double parameters) {
    double rowsPerVector() {
      return formed ? 100 : 1;
    }

    Setting forming() {
      return new Setting(backend, type, true, logits, gradients, parameters);
    }

    /** Where nothing is generated there is nothing to form. */
    boolean applies(String golden) {
      return !formed || golden.startsWith("llm4msr");
    }

    @Override
    public String toString() {
      return backend + " " + type + (formed ? " formed" : "");
    }
  }

  static Setting inF64(String backend) {
    return new Setting(backend, DType.F64, false, 1e-9, 1e-9, 1e-9);
  }

  /** F32, as far off as a few operators one after the other may be. */
  static Setting inF32(String backend) {
    return new Setting(backend, DType.F32, false, 1e-4, 1e-5, 5e-5);
  }

  private static final String[] CASES = {
    "sharedbottom",
    "star",
    "omoe",
    "mmoe",
    "ple",
    "aitm",
    "llm4msr_omoe",
    "llm4msr_mmoe",
    "llm4msr_ple",
    "llm4msr_aitm",
    "star_paper",
    "llm4msr_sharedbottom",
    "llm4msr_star",
    "llm4msr_v1_residual_gate_x",
    "llm4msr_v2_concat_scalars_l2",
    "llm4msr_v3_scen_only_k1_add",
    "llm4msr_v4_user_only_k1_rms",
    "llm4msr_v5_notrunk_k3",
  };

  static Stream<Arguments> casesFor(Setting... settings) {
    return Stream.of(settings)
        .flatMap(setting ->
            Stream.of(CASES).filter(setting::applies).map(name -> Arguments.of(setting, name)));
  }

  static Stream<Arguments> streamsFor(Setting... settings) {
    return Stream.of(settings)
        .flatMap(setting ->
            Stream.of("sharedbottom", "llm4msr_star")
                .filter(setting::applies)
                .flatMap(
                    name -> Stream.of(false, true).map(lazy -> Arguments.of(setting, name, lazy))));
  }

  private static Backend open(Setting setting) {
    BackendProvider.Availability availability =
        Backends.providers().stream()
            .filter(provider -> provider.name().equals(setting.backend()))
            .findFirst()
            .map(BackendProvider::availability)
            .orElse(new BackendProvider.Availability(false, "not on the class path"));
    Assumptions.assumeTrue(availability.available(), availability.explanation());
    return Backends.open(setting.backend(), new BackendOptions(2));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void logitsLossAndGradients(Setting setting, String name) {
    GoldenCase golden = GoldenCase.load(name);
    try (Backend backend = open(setting);
        GoldenRun run = new GoldenRun(golden, backend, setting.type(), setting.rowsPerVector())) {
      assertClose("eval", run.evaluationLogits(), golden.get("eval_logits"), setting.logits());
      Map<String, double[]> results = run.gradients();
      assertThat(results).hasSize(run.trainedParameters().size() + 2);
      results.forEach((key, actual) -> {
        if (key.startsWith("grad/")) {
          double[] expected = golden.stacked("grad/", key.substring("grad/".length()));
          assertClose(key, actual, expected, setting.gradients());
        } else {
          assertClose(key, actual, golden.get(key), setting.logits());
        }
      });
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void threeStepsOfAdam(Setting setting, String name) {
    GoldenCase golden = GoldenCase.load(name);
    try (Backend backend = open(setting);
        GoldenRun run = new GoldenRun(golden, backend, setting.type(), setting.rowsPerVector())) {
      double[] losses = run.train(false, "batch", "batch", "batch");
      for (int i = 0; i < losses.length; i++) {
        assertThat(losses[i]).isCloseTo(golden.get("losses")[i], within(setting.logits()));
      }
      for (String parameter : run.trainedParameters()) {
        double[] expected = golden.stacked("adam3/", parameter);
        assertClose(parameter, run.parameter(parameter), expected, setting.parameters());
      }
      for (String statistic : new String[] {"backbone.run_mean", "backbone.run_var"}) {
        if (golden.has("buffer3/" + statistic)) {
          double[] expected = golden.get("buffer3/" + statistic);
          assertClose(statistic, run.parameter(statistic), expected, setting.parameters());
        }
      }
      double[] expected = golden.get("eval_logits3");
      assertClose("eval_logits3", run.evaluationLogits(), expected, setting.logits());
    }
  }

  @ParameterizedTest
  @MethodSource("streams")
  void threeBatchesWithEverywhereOrLazyAdam(Setting setting, String name, boolean lazy) {
    GoldenCase golden = GoldenCase.load(name);
    try (Backend backend = open(setting);
        GoldenRun run = new GoldenRun(golden, backend, setting.type(), setting.rowsPerVector())) {
      run.train(lazy, "batch", "batch1", "batch2");
      for (String parameter : run.trainedParameters()) {
        double[] expected = golden.stacked(lazy ? "stream_lazy/" : "stream_dense/", parameter);
        assertClose(parameter, run.parameter(parameter), expected, setting.parameters());
      }
    }
  }

  private static void assertClose(
      String what, double[] actual, double[] expected, double tolerance) {
    assertThat(actual).as(what).hasSameSizeAs(expected);
    for (int i = 0; i < actual.length; i++) {
      assertThat(actual[i]).as("%s[%d]", what, i).isCloseTo(expected[i], within(tolerance));
    }
  }
}
