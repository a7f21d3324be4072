package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
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
import org.llm4msr.model.recommender.backbone.Star;
import org.llm4msr.model.training.ModelReading.Importance;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.memory.AllocationTracker;

/** On planted logs, whose rule says what must matter. */
class ModelReaderTest {
  private static final SplitRule.Ratios EIGHT_ONE_ONE = new SplitRule.Ratios(8, 1, 1);

  private final Backend backend = Backends.openBest(new BackendOptions(2));

  @AfterEach
  void nothingStaysOpen() {
    backend.close();
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private Trainer trained(
      Dataset dataset, KnowledgeTables knowledge, Fusion fusion, int epochs, long seed) {
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
            fusion,
            false);
    RecommenderConfig model =
        new RecommenderConfig(
            6,
            0.05,
            new Star(List.of(12), false, List.of(), 0),
            knowledge == null ? MetaConfig.off() : meta);
    TrainingConfig training =
        new TrainingConfig(
            seed, 128, epochs, 0, StopMetric.AUC, 0, 0, OptimizerConfig.adam(1e-2, false));
    Trainer trainer = new Trainer(backend, dataset, knowledge, model, training);
    trainer.fit(new TrainingListener() {}, () -> false);
    return trainer;
  }

  private static ModelReading read(Trainer trainer, Dataset dataset, EvidenceCounts evidence) {
    int[] rows = dataset.rowsOf(Split.TEST);
    try (ModelReader reader =
        new ModelReader(
            trainer.parameters(), trainer.model(), dataset, Folds.NONE, evidence, rows, 10_000)) {
      return reader.read(3, 1);
    }
  }

  private static double number(Trainer trainer, String parameter, int index) {
    double[] number = new double[1];
    HostAccess.read(
        trainer.parameters().backend(),
        trainer.parameters().get(parameter),
        host -> number[0] = host.getAtIndex(JAVA_FLOAT, index));
    return number[0];
  }

  /** Nobody in the test rows was trained on, so the user's id is the same for all of them. */
  @Test
  void whatTheLabelsDependOnMattersAndAColumnWithoutInformationDoesNot() {
    PlantedLog log = PlantedLog.of(6_000, 120, new SplitRule.ColdUsers(EIGHT_ONE_ONE, 5), 2);
    Dataset dataset = log.dataset();
    KnowledgeTables knowledge = log.knowledge(Normalization.STANDARD);
    try (Trainer trainer = trained(dataset, knowledge, Fusion.ALPHA, 12, 7)) {
      double[] before = trainer.predict(Split.TEST).probabilities();
      ModelReading reading = read(trainer, dataset, null);
      assertThat(trainer.predict(Split.TEST).probabilities())
          .as("reading leaves the model alone")
          .isEqualTo(before);
      assertThat(reading.parts().getFirst().auc())
          .isCloseTo(trainer.predict(Split.TEST).metrics().overall().auc(), within(1e-12));
      Map<String, Importance> byName =
          reading.importances().stream()
              .collect(Collectors.toMap(Importance::name, Function.identity()));
      assertThat(byName.get("user").losses().getFirst().mean()).isZero();
      assertThat(loss(byName, "knowledge of the user")).isGreaterThan(0.15);
      assertThat(loss(byName, "item") + loss(byName, "kind")).isGreaterThan(0.15);
      assertThat(Math.abs(loss(byName, "knowledge of the scenario"))).isLessThan(0.05);
      double alpha = number(trainer, "alpha", 0);
      double knowledgeWeight = 1 - 1 / (1 + Math.exp(-alpha));
      assertThat(reading.fusion().perRow()).isFalse();
      assertThat(reading.fusion().spreads()).isEmpty();
      assertThat(reading.fusion().means().getFirst()).isCloseTo(knowledgeWeight, within(1e-6));
      assertThat(reading.users().distances().median()).isPositive();
    }
  }

  /** t = T h, then every generator: A t + a, and A t for the last layer. */
  private static double[] scenarioLayers(Trainer trainer, int scenario) {
    int width = PlantedLog.KINDS + 1;
    double[] t = new double[2];
    for (int r = 0; r < t.length; r++) {
      double sum = 0;
      for (int d = 0; d < width; d++) {
        sum +=
            number(trainer, "scen_meta.trunk.weight", r * width + d)
                * number(trainer, "knowledge.scenario", scenario * width + d);
      }
      t[r] = sum;
    }
    List<Double> numbers = new ArrayList<>();
    for (String generator : List.of("w.0", "w.1", "b.0", "b.1")) {
      String weight = "scen_meta." + generator + ".weight";
      String bias = "scen_meta." + generator + ".bias";
      boolean last = generator.endsWith("1");
      assertThat(trainer.parameters().contains(bias)).isEqualTo(!last);
      long count = trainer.parameters().get(weight).shape().elements() / t.length;
      for (int i = 0; i < count; i++) {
        double sum = last ? 0 : number(trainer, bias, i);
        for (int r = 0; r < t.length; r++) {
          sum += number(trainer, weight, i * t.length + r) * t[r];
        }
        numbers.add(sum);
      }
    }
    return numbers.stream().mapToDouble(Double::doubleValue).toArray();
  }

  private static double loss(Map<String, Importance> byName, String name) {
    return byName.get(name).losses().getFirst().mean();
  }

  @Test
  void theWeightOfKnowledgeByEvidenceIsTheFormulasMean() {
    SplitRule random = new SplitRule.Random(EIGHT_ONE_ONE, 3);
    PlantedLog log = PlantedLog.of(1_500, 60, random, 4);
    Dataset dataset = log.dataset();
    KnowledgeTables knowledge = log.knowledge(Normalization.STANDARD);
    try (Trainer trainer = trained(dataset, knowledge, Fusion.EVIDENCE, 2, 7)) {
      EvidenceCounts counts = new EvidenceCounts(dataset);
      ModelReading reading = read(trainer, dataset, counts);
      double sum = 0;
      int[] rows = dataset.rowsOf(Split.TEST);
      List<Double> ascending = new ArrayList<>();
      for (int row : rows) {
        int user = counts.user(dataset.user(row), dataset.scenario(row));
        int item = counts.item(dataset.item(row), dataset.scenario(row));
        sum += weight(trainer, user, item);
        ascending.add(weight(trainer, user, item));
      }
      Collections.sort(ascending);
      ModelReading.Spread spread = reading.fusion().spreads().getFirst();
      assertThat(spread.low())
          .isCloseTo(ascending.get((int) Math.round(0.1 * (rows.length - 1))), within(1e-6))
          .isLessThan(spread.median());
      assertThat(spread.upperQuarter())
          .isCloseTo(ascending.get((int) Math.round(0.75 * (rows.length - 1))), within(1e-6))
          .isBetween(spread.median(), spread.high());
      assertThat(reading.fusion().spreads()).hasSameSizeAs(reading.parts());
      assertThat(reading.fusion().perRow()).isTrue();
      assertThat(reading.fusion().means().getFirst()).isCloseTo(sum / rows.length, within(1e-6));
      double[][] layers = {scenarioLayers(trainer, 0), scenarioLayers(trainer, 1)};
      assertThat(reading.scenarioDistances()[0][1])
          .isPositive()
          .isCloseTo(LayerDistances.of(layers)[0][1], within(1e-5));
      for (ModelReading.CurvePoint point : reading.fusion().curve()) {
        assertThat(point.newItem()).isCloseTo(weight(trainer, point.userRows(), 0), within(1e-6));
        assertThat(point.knownItem())
            .isCloseTo(weight(trainer, point.userRows(), 100), within(1e-6));
      }
    }
  }

  private static double weight(Trainer trainer, int user, int item) {
    double x =
        number(trainer, "evidence.bias", 0)
            + number(trainer, "evidence.weight", 0) * Math.log1p(user)
            + number(trainer, "evidence.weight", 1) * Math.log1p(item);
    return 1 / (1 + Math.exp(-x));
  }

  /** Lengths 5 and 0, and 3: root mean square sqrt((25 + 0 + 9) / 3). */
  @Test
  void distancesByHand() {
    double[][] distances = LayerDistances.of(new double[][] {{3, 4}, {0, 0}, {3, 0}});
    double scale = Math.sqrt(34.0 / 3);
    assertThat(distances[0][1]).isCloseTo(5 / scale, within(1e-12));
    assertThat(distances[2][0]).isCloseTo(4 / scale, within(1e-12));
    assertThat(distances[1][2]).isCloseTo(3 / scale, within(1e-12));
    assertThat(LayerDistances.of(new double[2][3])[0][1]).isZero();
  }

  /** About 8 training rows a user: the ids alone tell little of anybody's taste. */
  @Test
  void aPlantedSignalLiftsThinlyKnownUsersAndRandomVectorsDoNoHarm() {
    PlantedLog log = PlantedLog.of(6_000, 600, new SplitRule.Random(EIGHT_ONE_ONE, 3), 2);
    Dataset dataset = log.dataset();
    KnowledgeTables real = log.knowledge(Normalization.RMS);
    KnowledgeTables random =
        new KnowledgeTables(new RandomVectors(real.vectors(), 9), Folds.NONE, real.normalization());
    double alone = thinAuc(dataset, null);
    double withReal = thinAuc(dataset, real);
    double withRandom = thinAuc(dataset, random);
    assertThat(withReal).isGreaterThan(alone + 0.05);
    assertThat(withReal).isGreaterThan(withRandom + 0.05);
    assertThat(withRandom).isGreaterThan(alone - 0.03);
  }

  /** Mean over three seeds. */
  private double thinAuc(Dataset dataset, KnowledgeTables knowledge) {
    int[] known = dataset.trainRowsPerUser();
    double sum = 0;
    for (long seed = 1; seed <= 3; seed++) {
      try (Trainer trainer = trained(dataset, knowledge, Fusion.ALPHA, 12, seed)) {
        Predictions thin = trainer.predict(Split.TEST).where(row -> known[dataset.user(row)] < 20);
        sum += thin.metrics().overall().auc();
      }
    }
    return sum / 3;
  }
}
