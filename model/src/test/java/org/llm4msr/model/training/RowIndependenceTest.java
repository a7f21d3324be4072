package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.data.Batcher;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.MetaConfig.Fusion;
import org.llm4msr.model.recommender.MetaConfig.Generators;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.model.recommender.MetaConfig.ScenarioMode;
import org.llm4msr.model.recommender.MetaConfig.UserMode;
import org.llm4msr.model.recommender.ModelBuilder.ModelParameter;
import org.llm4msr.model.recommender.ModelSchema;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.plan.ParameterStore;
import org.llm4msr.runtime.plan.Plan;

/**
 * A row's prediction is its own on the backend that serves it: alone, in another order and among
 * other rows it is the same, whatever the backbone and the levels beside or around it.
 */
class RowIndependenceTest {
  private static final double TOLERANCE = 1e-6;
  private static final int ROWS = 150;
  private static final int BATCH = 64;

  /** Widths that fill no vector register evenly. */
  private static final Map<String, String> SMALL =
      Map.ofEntries(
          Map.entry("hidden", "13,7"),
          Map.entry("tower", "5"),
          Map.entry("auxiliary", "3"),
          Map.entry("scenario_dim", "3"),
          Map.entry("experts", "3"),
          Map.entry("gate", "5"),
          Map.entry("hyper", "5"),
          Map.entry("rank", "3"),
          Map.entry("adapter", "3"),
          Map.entry("star", "9"),
          Map.entry("generator", "5"));

  private final Backend backend = Backends.open("cpu", new BackendOptions(2));

  @AfterEach
  void nothingStaysOpen() {
    backend.close();
    assertThat(AllocationTracker.open()).isEmpty();
  }

  static Stream<Arguments> models() {
    return Stream.of(BackboneKind.values())
        .flatMap(kind ->
            Stream.of(
                    MetaConfig.off(),
                    meta(UserMode.RESIDUAL, ScenarioMode.BOTTOM, Fusion.ALPHA),
                    meta(UserMode.CONCAT, ScenarioMode.FEATURES, Fusion.GATE),
                    meta(UserMode.LOGIT, ScenarioMode.CONTENT, Fusion.EVIDENCE))
                .map(meta -> Arguments.of(kind, meta)));
  }

  private static MetaConfig meta(UserMode user, ScenarioMode scenario, Fusion fusion) {
    return new MetaConfig(
        user,
        List.of(3),
        0,
        false,
        scenario,
        List.of(3),
        2,
        Generators.CENTRED,
        Normalization.STANDARD,
        fusion,
        false);
  }

  /** A model with random weights, and a plan that predicts with it. */
  private final class Model implements AutoCloseable {
    private final Dataset dataset;
    private final EvidenceCounts evidence;
    private final RecommenderModel model;
    private final ParameterStore store = new ParameterStore(backend);
    private final Plan plan;
    private final BatchFeed feed;

    private Model(BackboneKind kind, MetaConfig meta, boolean training, long seed) {
      SplitRule split = new SplitRule.Random(new SplitRule.Ratios(8, 1, 1), seed);
      PlantedLog log = PlantedLog.of(ROWS, 20, split, seed);
      dataset = log.dataset();
      KnowledgeTables knowledge = meta.isOff() ? null : log.knowledge(Normalization.STANDARD);
      Map<String, String> options = new HashMap<>(SMALL);
      options.keySet().removeIf(option -> !kind.hasOption(option));
      RecommenderConfig config = new RecommenderConfig(5, 0.5, kind.build(options), meta);
      ModelSchema schema = Schemas.of(dataset, knowledge, BATCH);
      model = RecommenderModel.build(config, schema, DType.F32, training);
      evidence = EvidenceCounts.forModel(config, dataset);
      ParameterInitializer.create(store, model, seed, dataset, knowledge);
      // Levels begin at 0, statistics at those of no row: neither would tell rows apart.
      Random random = new Random(seed);
      for (ModelParameter parameter : model.inputs().parameters()) {
        if (parameter.group() != ParameterGroup.KNOWLEDGE) {
          MemorySegment elements = store.get(parameter.value().name()).segment();
          for (long i = 0; i < elements.byteSize() / Float.BYTES; i++) {
            float change = (float) (0.3 * Math.abs(random.nextGaussian()));
            boolean below = parameter.group().isTrained() && random.nextBoolean();
            float element = elements.getAtIndex(JAVA_FLOAT, i);
            elements.setAtIndex(JAVA_FLOAT, i, element + (below ? -change : change));
          }
        }
      }
      plan = new Plan(backend, model.graph(), store, List.of(model.logits()));
      feed = new BatchFeed(plan, model.inputs(), null);
    }

    /** Probabilities by row of the data set; NaN for rows that are not asked for. */
    private double[] predict(int... rows) {
      double[] probabilities = new double[dataset.rows()];
      Arrays.fill(probabilities, Double.NaN);
      Batcher batcher = Batcher.inOrder(dataset, rows, BATCH, Folds.NONE);
      EvidenceCounts wanted = feed.needsEvidence() ? evidence : null;
      try (Arena arena = Arena.ofConfined();
          BatchPipeline batches = new BatchPipeline(batcher, wanted, dataset, BATCH)) {
        MemorySegment logits = arena.allocate(JAVA_FLOAT, BATCH);
        for (BatchPipeline.Slot slot = batches.take();
            !slot.isEndOfEpoch();
            slot = batches.take()) {
          feed.load(slot.batch(), slot.evidence());
          plan.run();
          plan.read(model.logits(), logits);
          for (int b = 0; b < slot.batch().size(); b++) {
            int row = slot.batch().rows().getAtIndex(JAVA_INT, b);
            probabilities[row] = 1 / (1 + Math.exp(-logits.getAtIndex(JAVA_FLOAT, b)));
          }
          batches.release(slot);
        }
      }
      return probabilities;
    }

    @Override
    public void close() {
      plan.close();
      store.close();
    }
  }

  private static int[] shuffled(int[] rows, Random random) {
    int[] order = rows.clone();
    for (int i = order.length - 1; i > 0; i--) {
      int other = random.nextInt(i + 1);
      int row = order[i];
      order[i] = order[other];
      order[other] = row;
    }
    return order;
  }

  private static void assertSame(double[] actual, double[] expected, int... rows) {
    for (int row : rows) {
      assertThat(actual[row]).as("row %d", row).isCloseTo(expected[row], within(TOLERANCE));
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void aPredictionIsTheRowsOwn(BackboneKind kind, MetaConfig meta) {
    for (long seed = 1; seed <= 3; seed++) {
      Random random = new Random(seed);
      try (Model model = new Model(kind, meta, false, seed)) {
        int[] all = IntStream.range(0, ROWS).toArray();
        double[] together = model.predict(all);
        assertThat(Arrays.stream(together).max().orElseThrow())
            .as("predictions differ")
            .isGreaterThan(Arrays.stream(together).min().orElseThrow() + 0.02);
        int[] order = shuffled(all, random);
        assertSame(model.predict(order), together, all);
        int[] some = Arrays.copyOf(order, 1 + random.nextInt(BATCH));
        assertSame(model.predict(some), together, some);
        for (int row : Arrays.copyOf(order, 8)) {
          assertSame(model.predict(row), together, row);
        }
      }
    }
  }

  /** The comparison does see a row that depends on its batch, as any does while STAR trains. */
  @Test
  void statisticsOfTheBatchAreSeen() {
    try (Model model = new Model(BackboneKind.STAR_PAPER, MetaConfig.off(), true, 1)) {
      int[] all = IntStream.range(0, ROWS).toArray();
      double[] together = model.predict(all);
      double[] apart = model.predict(shuffled(all, new Random(1)));
      assertThat(IntStream.of(all).mapToDouble(row -> Math.abs(apart[row] - together[row])))
          .anyMatch(difference -> difference > 1e-3);
    }
  }
}
