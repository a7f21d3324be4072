package org.llm4msr.model.recommender;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.External;
import org.llm4msr.model.recommender.backbone.ScenarioId;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.recommender.backbone.Star;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.UserError;

/** Every wiring of the meta levels, in double precision on the reference backend. */
class WiringTest {
  private static final Backbone BOTTOM = new SharedBottom(List.of(7), List.of(4));
  private static final Backbone STAR = new Star(List.of(7, 4), false, List.of(), 0);

  static Stream<Arguments> wirings() {
    return Stream.of(MetaConfig.UserMode.values())
        .flatMap(user ->
            Stream.of(MetaConfig.ScenarioMode.values())
                .filter(scenario -> goTogether(user, scenario))
                .flatMap(scenario ->
                    Stream.of(MetaConfig.Fusion.values())
                        .map(fusion -> Arguments.of(user, scenario, fusion))));
  }

  /** Levels beside the backbone and levels around it do not mix. */
  private static boolean goTogether(MetaConfig.UserMode user, MetaConfig.ScenarioMode scenario) {
    boolean off = user == MetaConfig.UserMode.OFF || scenario == MetaConfig.ScenarioMode.OFF;
    return off
        || (user == MetaConfig.UserMode.LOGIT) == (scenario == MetaConfig.ScenarioMode.CONTENT);
  }

  @Test
  void levelsBesideTheBackboneAndAroundItDoNotMix() {
    for (MetaConfig.UserMode user : MetaConfig.UserMode.values()) {
      for (MetaConfig.ScenarioMode scenario : MetaConfig.ScenarioMode.values()) {
        if (!goTogether(user, scenario)) {
          assertThatThrownBy(() -> meta(user, scenario, MetaConfig.Fusion.ADD))
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessageContaining(user.name());
        }
      }
    }
  }

  /** Beside the backbone the levels see neither user nor item but through content features. */
  @Test
  void levelsBesideTheBackboneReadContentOnly() {
    MetaConfig both =
        meta(MetaConfig.UserMode.LOGIT, MetaConfig.ScenarioMode.CONTENT, MetaConfig.Fusion.SCALARS);
    try (WiringRun run = new WiringRun(new External(List.of(4)), both, true)) {
      assertThat(run.parameters())
          .filteredOn(name -> name.contains("tables"))
          .containsExactly("content.tables.item.weight");
      assertGradients(run, run.parameters());
    }
    try (WiringRun alone = new WiringRun(BOTTOM, MetaConfig.off(), false);
        WiringRun run = new WiringRun(BOTTOM, both, false)) {
      alone.parameters().forEach(name -> run.set(name, alone.get(name)));
      assertThat(run.logits()).containsExactly(alone.logits());
      run.disturb(new Random(2), 0.3);
      alone.parameters().forEach(name -> run.set(name, alone.get(name)));
      assertThat(run.logits()[0]).isNotCloseTo(alone.logits()[0], within(1e-6));
    }
  }

  /** The directional derivative of the loss equals its central difference. */
  @ParameterizedTest
  @MethodSource("wirings")
  void gradientsEqualCentralDifferences(
      MetaConfig.UserMode user, MetaConfig.ScenarioMode scenario, MetaConfig.Fusion fusion) {
    gradientsEqualCentralDifferences(STAR, meta(user, scenario, fusion));
  }

  /** With every row another user, and with many rows of each. */
  private static void gradientsEqualCentralDifferences(
      Backbone backbone, MetaConfig meta, String... trained) {
    for (double rowsPerVector : new double[] {1, 100}) {
      try (WiringRun run = new WiringRun(backbone, meta, true, 0, rowsPerVector)) {
        assertGradients(run, List.of(trained));
      }
    }
  }

  /** Whether generated layers are formed is a matter of speed. */
  @ParameterizedTest
  @MethodSource("wirings")
  void layersNeedNotBeFormed(
      MetaConfig.UserMode user, MetaConfig.ScenarioMode scenario, MetaConfig.Fusion fusion) {
    MetaConfig meta = meta(user, scenario, fusion);
    try (WiringRun formed = new WiringRun(BOTTOM, meta, true, 0, 100);
        WiringRun byRow = new WiringRun(BOTTOM, meta, true, 0, 1)) {
      assertThat(byRow.parameters()).containsExactlyElementsOf(formed.parameters());
      formed.disturb(new Random(4), 0.3);
      byRow.disturb(new Random(4), 0.3);
      assertClose(byRow.logits(), formed.logits(), 1e-12);
    }
  }

  private static void assertGradients(WiringRun run, List<String> trained) {
    run.disturb(new Random(5), 0.3);
    Random random = new Random(6);
    Map<String, double[]> direction = new HashMap<>();
    Map<String, double[]> gradients = run.gradients();
    assertThat(gradients.keySet()).containsAll(trained);
    double expected = 0;
    for (Map.Entry<String, double[]> entry : gradients.entrySet()) {
      double[] d = random.doubles(entry.getValue().length, -1, 1).toArray();
      direction.put(entry.getKey(), d);
      for (int i = 0; i < d.length; i++) {
        expected += d[i] * entry.getValue()[i];
      }
    }
    double step = 1e-6;
    run.move(direction, step);
    double above = run.loss();
    run.move(direction, -2 * step);
    double below = run.loss();
    double actual = (above - below) / (2 * step);
    assertThat(actual).isCloseTo(expected, within(1e-7 + 1e-6 * Math.abs(expected)));
  }

  /** An existing recommender is what it is; beside it the scenario level is trained. */
  @ParameterizedTest
  @EnumSource
  void anExistingRecommenderJoinsWithItsLogit(MetaConfig.Fusion fusion) {
    MetaConfig both = meta(MetaConfig.UserMode.RESIDUAL, MetaConfig.ScenarioMode.BOTTOM, fusion);
    gradientsEqualCentralDifferences(
        new External(List.of(4)), both, "scen_meta.trunk.weight", "user_meta.trunk.weight");
    MetaConfig userOnly = meta(MetaConfig.UserMode.RESIDUAL, MetaConfig.ScenarioMode.OFF, fusion);
    for (MetaConfig alone : List.of(MetaConfig.off(), userOnly)) {
      try (WiringRun run =
          new WiringRun(new ScenarioId(new External(List.of(4)), 3), alone, false)) {
        assertThat(run.logits()).containsExactly(run.externalLogits());
        assertThat(run.parameters()).isEmpty();
      }
    }
    try (WiringRun run = new WiringRun(new External(List.of(4)), both, false)) {
      run.disturb(new Random(2), 0.3);
      double[] together = run.logits();
      for (int row = 0; row < WiringRun.ROWS; row++) {
        assertThat(run.logitAlone(row)).isCloseTo(together[row], within(1e-12));
      }
    }
  }

  /** Its representation takes the place of the embedded features, at both levels. */
  @Test
  void anExistingRecommenderJoinsWithItsRepresentation() {
    MetaConfig both =
        meta(MetaConfig.UserMode.RESIDUAL, MetaConfig.ScenarioMode.BOTTOM, MetaConfig.Fusion.ALPHA);
    Backbone external = new External(List.of(4));
    try (WiringRun run = new WiringRun(new ScenarioId(external, 3), both, true, 5, 1)) {
      run.disturb(new Random(2), 0.3);
      assertThat(run.parameters())
          .contains(
              "backbone.head.lin.0.weight",
              "backbone.out.bias",
              "user_meta.trunk.weight",
              "scenario_id.weight")
          .noneMatch(name -> name.startsWith("embedding."));
      assertGradients(run, run.parameters());
      double[] together = run.logits();
      for (int row = 0; row < WiringRun.ROWS; row++) {
        assertThat(run.logitAlone(row)).isCloseTo(together[row], within(1e-12));
      }
    }
  }

  @Test
  void anExistingRecommenderNeedsItsLogits() {
    ModelSchema schema = new ModelSchema(List.of(new ModelSchema.Field("user", 5)), 2, 0, 0, 4);
    RecommenderConfig config =
        new RecommenderConfig(4, 0.5, new External(List.of(4)), MetaConfig.off());
    assertThatThrownBy(() -> RecommenderModel.build(config, schema, DType.F64, false))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("interactions.logit");
  }

  /** The control with free vectors: they are trained, too. */
  @Test
  void learnedVectorsHaveGradients() {
    MetaConfig frozen =
        meta(MetaConfig.UserMode.RESIDUAL, MetaConfig.ScenarioMode.BOTTOM, MetaConfig.Fusion.ALPHA);
    MetaConfig learned =
        new MetaConfig(
            frozen.user(),
            frozen.userHidden(),
            frozen.userOutput(),
            false,
            frozen.scenario(),
            frozen.scenarioHidden(),
            frozen.rank(),
            frozen.generators(),
            frozen.normalization(),
            frozen.fusion(),
            true);
    gradientsEqualCentralDifferences(
        new ScenarioId(STAR, 3),
        learned,
        "learned.knowledge.user",
        "learned.knowledge.scenario",
        "scenario_id.weight");
  }

  /** Before training the vectors must not matter: nobody is served worse for having knowledge. */
  @ParameterizedTest
  @MethodSource("wirings")
  void startsWithoutInfluenceOfTheVectors(
      MetaConfig.UserMode user, MetaConfig.ScenarioMode scenario, MetaConfig.Fusion fusion) {
    try (WiringRun run = new WiringRun(BOTTOM, meta(user, scenario, fusion), false)) {
      double[] before = run.logits();
      run.overwriteKnowledge(new Random(9));
      assertThat(run.logits()).containsExactly(before);
    }
  }

  /** Centred levels say nothing where vectors say nothing, however they were trained. */
  @ParameterizedTest
  @EnumSource(names = {"RESIDUAL", "CONCAT"})
  void zeroVectorsAddNothing(MetaConfig.UserMode user) {
    MetaConfig meta = meta(user, MetaConfig.ScenarioMode.BOTTOM, MetaConfig.Fusion.ADD);
    try (WiringRun run = new WiringRun(BOTTOM, meta, false)) {
      run.disturb(new Random(3), 0.3);
      run.set(RecommenderModel.USER_KNOWLEDGE, 0);
      run.set(RecommenderModel.SCENARIO_KNOWLEDGE, 0);
      double[] before = run.logits();
      run.parameters().stream()
          .filter(name -> name.startsWith("user_meta") || name.startsWith("scen_meta"))
          .forEach(name -> run.set(name, 2.5));
      assertThat(run.logits()).containsExactly(before);
      run.overwriteKnowledge(new Random(4));
      assertThat(run.logits()[0]).isNotCloseTo(before[0], within(1e-6));
    }
  }

  @Test
  void evidenceSilencesKnowledgeOfKnownUsersAndItems() {
    MetaConfig meta =
        meta(
            MetaConfig.UserMode.RESIDUAL,
            MetaConfig.ScenarioMode.BOTTOM,
            MetaConfig.Fusion.EVIDENCE);
    try (WiringRun run = new WiringRun(BOTTOM, meta, false)) {
      run.disturb(new Random(3), 0.3);
      run.set("evidence.weight", -20);
      run.set("evidence.bias", 0);
      run.setEvidence(5);
      double[] known = run.logits();
      run.overwriteKnowledge(new Random(4));
      assertClose(run.logits(), known, 1e-12);
      run.setEvidence(0);
      assertThat(run.logits()[0]).isNotCloseTo(known[0], within(1e-6));
    }
  }

  /** A row's prediction must not change when other rows join its batch. */
  @ParameterizedTest
  @MethodSource("wirings")
  void rowsAreIndependent(
      MetaConfig.UserMode user, MetaConfig.ScenarioMode scenario, MetaConfig.Fusion fusion) {
    Backbone paper = new Star(List.of(5), true, List.of(3), 2);
    for (Backbone backbone : List.of(BOTTOM, STAR, paper)) {
      try (WiringRun run = new WiringRun(backbone, meta(user, scenario, fusion), false)) {
        run.disturb(new Random(2), 0.3);
        double[] together = run.logits();
        for (int row = 0; row < WiringRun.ROWS; row++) {
          assertThat(run.logitAlone(row)).isCloseTo(together[row], within(1e-12));
        }
      }
    }
  }

  private static void assertClose(double[] actual, double[] expected, double tolerance) {
    for (int i = 0; i < expected.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], within(tolerance));
    }
  }

  private static MetaConfig meta(
      MetaConfig.UserMode user, MetaConfig.ScenarioMode scenario, MetaConfig.Fusion fusion) {
    return new MetaConfig(
        user,
        List.of(3),
        4,
        false,
        scenario,
        List.of(3),
        2,
        MetaConfig.Generators.CENTRED,
        MetaConfig.Normalization.NONE,
        fusion,
        false);
  }
}
