package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.llm4msr.model.data.Batch;
import org.llm4msr.model.data.Batcher;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.recommender.Evidence;

/** What training rows say of others, beside a count row by row. */
class EvidenceCountsTest {
  private final Dataset log =
      PlantedLog.of(700, 40, new SplitRule.Random(new SplitRule.Ratios(8, 1, 1), 5), 2).dataset();

  /** Rows other than these: of a fold, the row itself. */
  private interface Unseen {
    boolean isUnseen(int row, int other);
  }

  private double expected(int row, IntPredicate same, Unseen unseen) {
    boolean trained = log.split(row) == Split.TRAIN;
    long count =
        IntStream.range(0, log.rows())
            .filter(other -> log.split(other) == Split.TRAIN)
            .filter(other -> log.scenario(other) == log.scenario(row))
            .filter(same)
            .filter(other -> !(trained && unseen.isUnseen(row, other)))
            .count();
    return Math.log1p(count);
  }

  private void check(Dataset view, Split part, Unseen unseen) {
    EvidenceCounts counts = new EvidenceCounts(view);
    try (Arena arena = Arena.ofConfined()) {
      Batch batch = new Batch(arena, 64, view);
      MemorySegment evidence = arena.allocate(64L * Evidence.FEATURES * Float.BYTES, 64);
      Batcher batcher = Batcher.inOrder(view, part, 64, Folds.NONE);
      int rows = 0;
      while (batcher.next(batch)) {
        counts.fill(batch, evidence);
        for (int b = 0; b < batch.size(); b++) {
          int row = batch.rows().getAtIndex(JAVA_INT, b);
          double user = expected(row, other -> log.user(other) == log.user(row), unseen);
          double item = expected(row, other -> log.item(other) == log.item(row), unseen);
          assertThat(evidence.getAtIndex(JAVA_FLOAT, 2L * b))
              .isCloseTo((float) user, within(1e-6f));
          assertThat(evidence.getAtIndex(JAVA_FLOAT, 2L * b + 1))
              .isCloseTo((float) item, within(1e-6f));
          rows++;
        }
      }
      assertThat(rows).isEqualTo(view.count(part)).isPositive();
    }
  }

  @Test
  void aTrainingRowDoesNotCountItself() {
    check(log, Split.TRAIN, (row, other) -> row == other);
    check(log, Split.TEST, (row, other) -> row == other);
  }

  @Test
  void aTrainingRowDoesNotCountWhatItsLogitDidNotSee() {
    Folds folds = new Folds(3);
    try (Dataset view = log.withLogits(new float[log.rows()], folds)) {
      check(view, Split.TRAIN, (row, other) -> folds.of(log, row) == folds.of(log, other));
      check(view, Split.TEST, (row, other) -> folds.of(log, row) == folds.of(log, other));
    }
  }
}
