package org.llm4msr.model.recommender;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PrimitiveIterator;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.recommender.backbone.Star;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.Autodiff;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/** Every wiring of the meta levels, in double precision on the reference backend. */
class WiringTest {
  private static final int SCENARIOS = 3;
  private static final int ROWS = 12;
  private static final int USERS = 5;
  private static final int WIDTH = 6;
  private static final Backbone BOTTOM = new SharedBottom(List.of(7), List.of(4));
  private static final Backbone STAR = new Star(List.of(7, 4), false, List.of(), 0);

  static Stream<Arguments> wirings() {
    return Stream.of(MetaConfig.UserMode.values())
        .flatMap(user ->
            Stream.of(MetaConfig.ScenarioMode.values())
                .flatMap(scenario ->
                    Stream.of(MetaConfig.Fusion.values())
                        .map(fusion -> Arguments.of(user, scenario, fusion))));
  }

  /** The directional derivative of the loss equals its central difference. */
  @ParameterizedTest
  @MethodSource("wirings")
  void gradientsEqualCentralDifferences(
      MetaConfig.UserMode user, MetaConfig.ScenarioMode scenario, MetaConfig.Fusion fusion) {
    try (Run run = new Run(STAR, meta(user, scenario, fusion), true)) {
      run.disturb(new Random(5), 0.3);
      Random random = new Random(6);
      Map<String, double[]> direction = new HashMap<>();
      Map<String, double[]> gradients = run.gradients();
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
  }

  /** Before training the vectors must not matter: nobody is served worse for having knowledge. */
  @ParameterizedTest
  @MethodSource("wirings")
  void startsWithoutInfluenceOfTheVectors(
      MetaConfig.UserMode user, MetaConfig.ScenarioMode scenario, MetaConfig.Fusion fusion) {
    try (Run run = new Run(BOTTOM, meta(user, scenario, fusion), false)) {
      double[] before = run.logits();
      run.overwriteKnowledge(new Random(9));
      assertThat(run.logits()).containsExactly(before);
    }
  }

  @Test
  void evidenceSilencesKnowledgeOfKnownUsersAndItems() {
    MetaConfig meta =
        meta(
            MetaConfig.UserMode.RESIDUAL,
            MetaConfig.ScenarioMode.BOTTOM,
            MetaConfig.Fusion.EVIDENCE);
    try (Run run = new Run(BOTTOM, meta, false)) {
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
      try (Run run = new Run(backbone, meta(user, scenario, fusion), false)) {
        run.disturb(new Random(2), 0.3);
        double[] together = run.logits();
        for (int row = 0; row < ROWS; row++) {
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
        user, List.of(3), 4, false, scenario, List.of(3), 2, MetaConfig.Normalization.NONE, fusion);
  }

  /** A model with random rows and parameters at their start. */
  private static final class Run implements AutoCloseable {
    private final Backend backend = Backends.open("reference", new BackendOptions(1));
    private final ParameterStore store = new ParameterStore(backend);
    private final RecommenderModel model;
    private final TrainingGraph training;
    private final Map<String, Value> gradientValues = new HashMap<>();
    private final Plan plan;
    private final int[][] ids = new int[ROWS][2];
    private final int[] scenarios = new int[ROWS];
    private final int[] users = new int[ROWS];
    private double evidence = Double.NaN;

    Run(Backbone backbone, MetaConfig meta, boolean trained) {
      ModelSchema schema =
          new ModelSchema(
              List.of(new ModelSchema.Field("user", 5), new ModelSchema.Field("item", 4)),
              SCENARIOS,
              USERS,
              WIDTH,
              ROWS);
      RecommenderConfig config = new RecommenderConfig(4, 0.5, backbone, meta);
      model = RecommenderModel.build(config, schema, DType.F64, trained);
      training = TrainingGraph.gradientsOf(model);
      training
          .gradients()
          .forEach((value, g) -> gradientValues.put(value.name(), Autodiff.dense(g, value)));
      List<Value> outputs = new ArrayList<>(gradientValues.values());
      outputs.add(model.logits());
      outputs.add(training.loss());
      Random random = new Random(1);
      for (ModelBuilder.ModelParameter parameter : model.inputs().parameters()) {
        MemorySegment segment = store.create(parameter.value()).segment();
        boolean knowledge = parameter.group() == ParameterGroup.KNOWLEDGE;
        Init init = knowledge ? new Init.Normal(1) : parameter.init();
        PrimitiveIterator.OfDouble elements = init.elements(random).iterator();
        for (long i = 0; i < segment.byteSize() / 8; i++) {
          DType.F64.set(segment, i, elements.nextDouble());
        }
      }
      plan = new Plan(backend, model.graph(), store, outputs);
      for (int row = 0; row < ROWS; row++) {
        ids[row][0] = random.nextInt(5);
        ids[row][1] = random.nextInt(4);
        scenarios[row] = row * SCENARIOS / ROWS;
        users[row] = random.nextInt(USERS);
      }
    }

    void disturb(Random random, double deviation) {
      for (ModelBuilder.ModelParameter parameter : model.inputs().parameters()) {
        if (parameter.group().isTrained()) {
          MemorySegment segment = store.get(parameter.value().name()).segment();
          for (long i = 0; i < segment.byteSize() / 8; i++) {
            double value = DType.F64.get(segment, i);
            DType.F64.set(segment, i, value + deviation * random.nextGaussian());
          }
        }
      }
    }

    void overwriteKnowledge(Random random) {
      for (ModelBuilder.ModelParameter parameter : model.inputs().parameters()) {
        if (parameter.group() == ParameterGroup.KNOWLEDGE) {
          MemorySegment segment = store.get(parameter.value().name()).segment();
          for (long i = 0; i < segment.byteSize() / 8; i++) {
            DType.F64.set(segment, i, random.nextGaussian());
          }
        }
      }
    }

    void set(String parameter, double value) {
      MemorySegment segment = store.get(parameter).segment();
      for (long i = 0; i < segment.byteSize() / 8; i++) {
        DType.F64.set(segment, i, value);
      }
    }

    void setEvidence(double value) {
      evidence = value;
    }

    void move(Map<String, double[]> direction, double step) {
      direction.forEach((name, d) -> {
        MemorySegment segment = store.get(name).segment();
        for (int i = 0; i < d.length; i++) {
          DType.F64.set(segment, i, DType.F64.get(segment, i) + step * d[i]);
        }
      });
    }

    Map<String, double[]> gradients() {
      loss();
      Map<String, double[]> result = new HashMap<>();
      gradientValues.forEach((name, value) -> result.put(name, read(value)));
      return result;
    }

    double loss() {
      run(0, ROWS);
      return plan.readScalar(training.loss());
    }

    double[] logits() {
      run(0, ROWS);
      return read(model.logits());
    }

    double logitAlone(int row) {
      run(row, row + 1);
      return read(model.logits())[0];
    }

    private double[] read(Value value) {
      Operand operand = plan.output(value);
      double[] elements = new double[Math.toIntExact(operand.elements())];
      for (int i = 0; i < elements.length; i++) {
        elements[i] = DType.F64.get(operand.segment(), i);
      }
      return elements;
    }

    private void run(int from, int to) {
      ModelBuilder in = model.inputs();
      int rows = to - from;
      List<Integer> distinct = new ArrayList<>();
      int[] userOf = new int[rows];
      int[] scenarioOf = new int[rows];
      for (int i = 0; i < rows; i++) {
        int row = from + i;
        if (!distinct.contains(users[row])) {
          distinct.add(users[row]);
        }
        userOf[i] = distinct.indexOf(users[row]);
        scenarioOf[i] = scenarios[row];
        put(in.ids(), 2 * i, ids[row][0]);
        put(in.ids(), 2 * i + 1, ids[row][1]);
        put(in.scenarioIds(), i, scenarios[row]);
        put(training.labels(), i, row % 2);
        for (int f = 0; f < Evidence.FEATURES; f++) {
          double counted = Double.isNaN(evidence) ? Math.log1p(row * (f + 1)) : evidence;
          put(in.evidence(), i * Evidence.FEATURES + f, counted);
        }
      }
      for (int i = 0; i < distinct.size(); i++) {
        put(in.userRows(), i, distinct.get(i));
      }
      plan.setExtent(in.rows(), rows);
      plan.setExtent(in.users(), distinct.size());
      plan.setExtent(in.byUser().offsets().type().dim(0), distinct.size() + 1);
      group(in.byScenario().order(), in.byScenario().offsets(), scenarioOf, SCENARIOS);
      group(in.byUser().order(), in.byUser().offsets(), userOf, distinct.size());
      plan.run();
    }

    private void group(Value order, Value offsets, int[] groups, int count) {
      int next = 0;
      for (int g = 0; g < count; g++) {
        for (int row = 0; row < groups.length; row++) {
          if (groups[row] == g) {
            put(order, next++, row);
          }
        }
        put(offsets, g + 1, next);
      }
    }

    private void put(Value input, int index, double element) {
      if (plan.uses(input)) {
        input.type().dtype().set(plan.input(input), index, element);
      }
    }

    @Override
    public void close() {
      plan.close();
      store.close();
      backend.close();
    }
  }
}
