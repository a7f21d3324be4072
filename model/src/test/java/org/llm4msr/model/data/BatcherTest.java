package org.llm4msr.model.data;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BatcherTest {
  private static final Dataset DATASET = Logs.randomWithFields(1009, 53, 71, 4, 1);

  private static int[] ints(MemorySegment segment, int count) {
    return segment.asSlice(0, count * 4L).toArray(JAVA_INT);
  }

  private static Batch batch(Arena arena, int capacity) {
    return new Batch(arena, capacity, DATASET);
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "7, 0", "64, 5", "809, 2", "5000, 0"})
  void everyTrainingRowComesOnceAndEveryColumnMatchesTheDataSet(int batchSize, int foldCount) {
    Folds folds = new Folds(foldCount);
    Batcher batcher = Batcher.training(DATASET, batchSize, folds, 11);
    List<Integer> seen = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      Batch batch = batch(arena, batchSize);
      int batches = 0;
      while (batcher.next(batch)) {
        batches++;
        check(batch, folds);
        Arrays.stream(ints(batch.rows(), batch.size())).forEach(seen::add);
      }
      assertThat(batches).isEqualTo(batcher.batchesPerEpoch());
    }
    int[] expected = DATASET.rowsOf(Split.TRAIN);
    assertThat(seen.stream().mapToInt(Integer::intValue).sorted().toArray()).isEqualTo(expected);
  }

  /** Equally many rows of every scenario, and over the epochs every row equally often. */
  @Test
  void balancedEpochsTreatScenariosAlike() {
    int[] training = DATASET.rowsOf(Split.TRAIN);
    int scenarios = DATASET.scenarios().size();
    int[] ofScenario = new int[scenarios];
    Arrays.stream(training).forEach(row -> ofScenario[DATASET.scenario(row)]++);
    int[] uses = new int[DATASET.rows()];
    Batcher batcher = Batcher.training(DATASET, 64, Folds.NONE, 11, true);
    try (Arena arena = Arena.ofConfined()) {
      Batch batch = batch(arena, 64);
      for (int epoch = 0; epoch < 6; epoch++) {
        int[] drawn = new int[scenarios];
        while (batcher.next(batch)) {
          for (int row : ints(batch.rows(), batch.size())) {
            drawn[DATASET.scenario(row)]++;
            uses[row]++;
          }
        }
        assertThat(Arrays.stream(drawn).sum()).isEqualTo(training.length);
        for (int count : drawn) {
          assertThat((double) count).isCloseTo((double) training.length / scenarios, within(1.0));
        }
      }
    }
    for (int row : training) {
      double expected = 6.0 * training.length / scenarios / ofScenario[DATASET.scenario(row)];
      assertThat((double) uses[row]).isBetween(Math.floor(expected) - 1, Math.ceil(expected) + 1);
    }
  }

  private static void check(Batch batch, Folds folds) {
    int size = batch.size();
    int[] rows = ints(batch.rows(), size);
    int columns = DATASET.idColumns();
    int[] ids = ints(batch.ids(), size * columns);
    int[] scenarioOffsets = ints(batch.scenarioOffsets(), DATASET.scenarios().size() + 1);
    assertThat(scenarioOffsets[0]).isZero();
    assertThat(scenarioOffsets[DATASET.scenarios().size()]).isEqualTo(size);
    assertThat(ints(batch.scenarioOrder(), size)).isEqualTo(IntStream.range(0, size).toArray());
    Map<Integer, List<Integer>> positionsOfProfile = new LinkedHashMap<>();
    for (int b = 0; b < size; b++) {
      int row = rows[b];
      int scenario = DATASET.scenario(row);
      assertThat(b).isBetween(scenarioOffsets[scenario], scenarioOffsets[scenario + 1] - 1);
      assertThat(batch.labels().getAtIndex(JAVA_FLOAT, b)).isEqualTo(DATASET.label(row));
      int idAt = b * columns;
      int factorAt = b * DATASET.factorColumns();
      for (Field field : DATASET.fields()) {
        int entry = DATASET.entry(field, row);
        for (int k = 0; k < field.length(); k++) {
          assertThat(ids[idAt++]).isEqualTo(field.id(entry, k));
          if (field.isWeighted()) {
            float factor = batch.factors().getAtIndex(JAVA_FLOAT, factorAt++);
            assertThat(factor).isEqualTo(field.factor(entry, k));
          }
        }
      }
      positionsOfProfile
          .computeIfAbsent(folds.profile(DATASET, row), p -> new ArrayList<>())
          .add(b);
    }
    int[] profiles = ints(batch.profiles(), batch.profileCount());
    int[] order = ints(batch.profileOrder(), size);
    int[] offsets = ints(batch.profileOffsets(), profiles.length + 1);
    int[] profileOfRow = ints(batch.profileOfRow(), size);
    assertThat(profiles).containsExactly(toArray(positionsOfProfile.keySet()));
    for (int p = 0; p < profiles.length; p++) {
      int[] group = Arrays.copyOfRange(order, offsets[p], offsets[p + 1]);
      assertThat(group).containsExactly(toArray(positionsOfProfile.get(profiles[p])));
      for (int b : group) {
        assertThat(profileOfRow[b]).isEqualTo(p);
      }
    }
  }

  private static int[] toArray(Collection<Integer> numbers) {
    return numbers.stream().mapToInt(Integer::intValue).toArray();
  }

  private static List<List<Integer>> take(Batcher batcher, int count) {
    List<List<Integer>> taken = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      Batch batch = batch(arena, 100);
      while (taken.size() < count) {
        taken.add(
            batcher.next(batch)
                ? Arrays.stream(ints(batch.rows(), batch.size())).boxed().toList()
                : List.of());
      }
    }
    return taken;
  }

  @Test
  void theSameSeedGivesTheSameBatchesAndAnotherSeedOrEpochOthers() {
    List<List<Integer>> first = take(Batcher.training(DATASET, 100, Folds.NONE, 5), 20);
    List<List<Integer>> again = take(Batcher.training(DATASET, 100, Folds.NONE, 5), 20);
    List<List<Integer>> other = take(Batcher.training(DATASET, 100, Folds.NONE, 6), 20);
    assertThat(again).isEqualTo(first);
    assertThat(other.getFirst()).isNotEqualTo(first.getFirst());
    int perEpoch = Batcher.training(DATASET, 100, Folds.NONE, 5).batchesPerEpoch();
    assertThat(first.get(perEpoch)).isEmpty();
    assertThat(first.get(perEpoch + 1)).isNotEqualTo(first.getFirst());
  }

  @Test
  void aRestoredStateContinuesWithTheSameBatches() {
    for (int cut = 0; cut < 19; cut++) {
      Batcher running = Batcher.training(DATASET, 100, Folds.NONE, 5);
      take(running, cut);
      Batcher restored = Batcher.training(DATASET, 100, Folds.NONE, 5);
      restored.restore(running.state());
      assertThat(take(restored, 12)).isEqualTo(take(running, 12));
    }
  }

  @Test
  void evaluationKeepsTheOrderOfTheLogWithinAScenario() {
    try (Arena arena = Arena.ofConfined()) {
      Batch batch = batch(arena, 1000);
      Batcher batcher = Batcher.inOrder(DATASET, Split.TEST, 1000, Folds.NONE);
      assertThat(batcher.next(batch)).isTrue();
      int[] expected =
          Arrays.stream(DATASET.rowsOf(Split.TEST))
              .boxed()
              .sorted(Comparator.comparing(DATASET::scenario))
              .mapToInt(Integer::intValue)
              .toArray();
      assertThat(ints(batch.rows(), batch.size())).isEqualTo(expected);
    }
  }

  @Test
  void aShuffleGivesEveryPositionAboutEquallyOften() {
    int size = 5;
    int[][] counts = new int[size][size];
    int trials = 20_000;
    for (int trial = 0; trial < trials; trial++) {
      int[] values = {0, 1, 2, 3, 4};
      StableHash.shuffle(values, trial);
      for (int i = 0; i < size; i++) {
        counts[i][values[i]]++;
      }
    }
    // Binomial(20000, 1/5): mean 4000, standard deviation 57; five of them are 283.
    for (int[] row : counts) {
      for (int count : row) {
        assertThat(count).isBetween(3717, 4283);
      }
    }
  }

  @Test
  void aBatchOfTheWrongShapeIsRefused() {
    Batcher batcher = Batcher.training(DATASET, 100, Folds.NONE, 1);
    try (Arena arena = Arena.ofConfined()) {
      assertThatThrownBy(() -> batcher.next(batch(arena, 99)))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> batcher.next(new Batch(arena, 100, 1, 0, 0, 4)))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void fillingABatchAllocatesNothing() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Batcher batcher = Batcher.training(DATASET, 64, new Folds(3), 1);
    try (Arena arena = Arena.ofConfined()) {
      Batch batch = batch(arena, 64);
      for (int i = 0; i < 20_000; i++) {
        batcher.next(batch);
      }
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < 1_000; i++) {
        batcher.next(batch);
      }
      // The measurement itself may allocate a little; one object per batch would be 16,000 bytes.
      assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(4_096);
    }
  }
}
