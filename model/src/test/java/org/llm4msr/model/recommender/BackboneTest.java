package org.llm4msr.model.recommender;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.recommender.backbone.BackboneOption;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;

/** Every backbone that is a network, in double precision on the reference backend. */
class BackboneTest {
  private static final double STEP = 1e-6;

  private static final String PERSONAL_GATE = "backbone.pp_gate.lin.weight";
  private static final String SCENARIO_GATE = "backbone.ep_gate.lin.weight";

  /** Small widths for every option that says how large something is. */
  private static final Map<String, String> SMALL =
      Map.of(
          "hidden",
          "5,3",
          "tower",
          "4",
          "auxiliary",
          "3",
          "scenario_dim",
          "2",
          "experts",
          "2",
          "gate",
          "3",
          "hyper",
          "3",
          "rank",
          "2",
          "adapter",
          "2",
          "star",
          "4");

  static Stream<Arguments> backbones() {
    Stream<Arguments> small =
        BackboneKind.networks().stream().map(kind -> Arguments.of(kind, small(kind, Map.of())));
    return Stream.concat(
        small,
        Stream.of(
            variant(BackboneKind.PLE, Map.of("levels", "1")),
            variant(
                BackboneKind.PLE,
                Map.of("levels", "3", "specific_experts", "2", "shared_experts", "3")),
            variant(BackboneKind.SARNET, Map.of("specific_experts", "3")),
            variant(BackboneKind.M2M, Map.of("meta_layers", "1")),
            variant(BackboneKind.ADASPARSE, Map.of("epsilon", "0.7")),
            variant(BackboneKind.PPNET, Map.of("prior", "item")),
            variant(BackboneKind.PEPNET, Map.of("prior", "item")),
            variant(BackboneKind.APG, Map.of("condition", "row"))));
  }

  private static Arguments variant(BackboneKind kind, Map<String, String> options) {
    return Arguments.of(kind, small(kind, options));
  }

  private static Map<String, String> small(BackboneKind kind, Map<String, String> given) {
    Map<String, String> options = new java.util.HashMap<>(given);
    for (BackboneOption option : kind.options()) {
      if (SMALL.containsKey(option.name())) {
        options.putIfAbsent(option.name(), SMALL.get(option.name()));
      }
    }
    return options;
  }

  private static WiringRun run(BackboneKind kind, Map<String, String> options, boolean trained) {
    Backbone backbone = kind.build(options);
    assertThat(backbone.name()).isEqualTo(kind.label().replace("_paper", ""));
    WiringRun run = new WiringRun(backbone, MetaConfig.off(), trained);
    run.disturb(new Random(5), 0.3);
    return run;
  }

  /** Parameter by parameter, the directional derivative of the loss is its central difference. */
  @ParameterizedTest
  @MethodSource("backbones")
  void gradientsEqualCentralDifferences(BackboneKind kind, Map<String, String> options) {
    try (WiringRun run = run(kind, options, true)) {
      Random random = new Random(6);
      Set<String> unchecked = new LinkedHashSet<>(run.parameters());
      // What lies before a stopped gradient has another derivative than the loss, unless nothing
      // depends on what comes through it.
      for (String gate : List.of("none", PERSONAL_GATE, SCENARIO_GATE)) {
        run.parameters().stream()
            .filter(parameter -> parameter.equals(gate))
            .forEach(parameter -> run.set(parameter, 0));
        for (String parameter : run.parameters()) {
          if (!liesBeforeStop(run, parameter, gate) && unchecked.remove(parameter)) {
            assertDerivative(run, parameter, random);
          }
        }
      }
      assertThat(unchecked).isEmpty();
    }
  }

  private static boolean liesBeforeStop(WiringRun run, String parameter, String zeroGate) {
    boolean personal = run.parameters().contains(PERSONAL_GATE) && zeroGate.equals("none");
    boolean scenario = run.parameters().contains(SCENARIO_GATE) && !zeroGate.equals(SCENARIO_GATE);
    boolean scenarioSide =
        parameter.startsWith("backbone.scen_emb") || parameter.startsWith("backbone.ep_gate");
    return parameter.startsWith("embedding.") && (personal || scenario) || scenarioSide && personal;
  }

  private static void assertDerivative(WiringRun run, String parameter, Random random) {
    double[] gradient = run.gradients().get(parameter);
    assertThat(gradient).as("%s is trained", parameter).isNotNull();
    double[] direction = random.doubles(gradient.length, -1, 1).toArray();
    double expected = 0;
    for (int i = 0; i < direction.length; i++) {
      expected += direction[i] * gradient[i];
    }
    run.move(Map.of(parameter, direction), STEP);
    double above = run.loss();
    run.move(Map.of(parameter, direction), -2 * STEP);
    double below = run.loss();
    run.move(Map.of(parameter, direction), STEP);
    assertThat((above - below) / (2 * STEP))
        .as(parameter)
        .isCloseTo(expected, within(1e-8 + 1e-6 * Math.abs(expected)));
  }

  /** No parameter is there for nothing: at some batch each of them matters. */
  @ParameterizedTest
  @MethodSource("backbones")
  void everyParameterTrains(BackboneKind kind, Map<String, String> options) {
    try (WiringRun run = run(kind, options, true)) {
      Set<String> idle = new LinkedHashSet<>(run.parameters());
      assertThat(run.gradients().keySet()).containsExactlyInAnyOrderElementsOf(idle);
      // In so small a network an expert may be silent by chance.
      for (int seed = 0; seed < 5; seed++) {
        run.gradients()
            .forEach((name, gradient) -> {
              if (DoubleStream.of(gradient).anyMatch(element -> element != 0)) {
                idle.remove(name);
              }
            });
        run.disturb(new Random(seed), 0.3);
      }
      assertThat(idle).isEmpty();
    }
  }

  /** A row's prediction must not change with the rows beside it. */
  @ParameterizedTest
  @MethodSource("backbones")
  void rowsAreIndependent(BackboneKind kind, Map<String, String> options) {
    try (WiringRun run = run(kind, options, false)) {
      double[] together = run.logits();
      for (int row = 0; row < WiringRun.ROWS; row++) {
        assertThat(run.logitAlone(row)).isCloseTo(together[row], within(1e-12));
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void defaultsAreComplete(BackboneKind kind) {
    Map<String, String> complete = kind.complete(Map.of());
    assertThat(complete.keySet())
        .containsExactlyElementsOf(kind.options().stream().map(BackboneOption::name).toList());
    assertThat(kind.build(complete)).isEqualTo(kind.build(Map.of()));
  }

  private static RecommenderModel ofFields(BackboneKind kind, String prior, String... fields) {
    Map<String, String> options = prior == null ? Map.of() : Map.of("prior", prior);
    RecommenderConfig config =
        new RecommenderConfig(4, 0.5, kind.build(small(kind, options)), MetaConfig.off());
    List<ModelSchema.Field> inputs =
        Stream.of(fields).map(name -> new ModelSchema.Field(name, 3)).toList();
    return RecommenderModel.build(config, new ModelSchema(inputs, 2, 0, 0, 8), DType.F64, false);
  }

  /** The gate reads the prior, 4 numbers a field, then z (and in PEPNet that is the gated z). */
  private static long fieldsOfPrior(RecommenderModel model, int fields) {
    return model.inputs().parameters().stream()
            .filter(parameter -> parameter.value().name().equals(PERSONAL_GATE))
            .mapToLong(parameter -> parameter.value().type().dim(1).fixed() / 4)
            .sum()
        - fields;
  }

  /** Only the default prior makes do with what the data have. */
  @ParameterizedTest
  @EnumSource(names = {"PPNET", "PEPNET"})
  void aPriorOfUnknownFieldsIsRefused(BackboneKind kind) {
    assertThat(fieldsOfPrior(ofFields(kind, null, "user", "item", "kind"), 3)).isEqualTo(2);
    assertThat(fieldsOfPrior(ofFields(kind, null, "item", "kind", "hour"), 3)).isEqualTo(1);
    assertThat(fieldsOfPrior(ofFields(kind, null, "kind", "hour"), 2)).isEqualTo(2);
    assertThat(fieldsOfPrior(ofFields(kind, "hour", "user", "kind", "hour"), 3)).isEqualTo(1);
    assertThatThrownBy(() -> ofFields(kind, "usr,itme", "user", "item", "kind"))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("prior")
        .hasMessageContaining("no feature 'usr', 'itme'; there are user, item, kind");
    assertThatThrownBy(() -> ofFields(kind, "user,itme", "user", "item", "kind"))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("no feature 'itme'");
  }

  @Test
  void mistakesAreNamed() {
    assertThatThrownBy(() -> BackboneKind.PLE.complete(Map.of("level", "2")))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("ple has no option 'level'")
        .hasMessageContaining("levels, specific_experts");
    for (String wrong : List.of("", "0", "a", "8,", "8,-1", "1.5")) {
      assertThatThrownBy(() -> BackboneKind.STAR.complete(Map.of("hidden", wrong)))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("hidden")
          .hasMessageContaining("'" + wrong + "'");
    }
    assertThatThrownBy(() -> BackboneKind.APG.complete(Map.of("condition", "user")))
        .hasMessageContaining("scenario or row");
    assertThatThrownBy(() -> BackboneKind.ADASPARSE.complete(Map.of("alpha", "NaN")))
        .hasMessageContaining("a number of 0 or more");
  }
}
