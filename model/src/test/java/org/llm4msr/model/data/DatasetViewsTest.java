package org.llm4msr.model.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Other views of one log. */
class DatasetViewsTest {
  private static final Folds FOLDS = new Folds(3);

  @TempDir private Path folder;

  private final Dataset all = Logs.randomWithFields(1009, 53, 71, 4, 1);

  @Test
  void everyTrainingRowIsHeldOutOnceAndNothingElseChanges() {
    int[] heldOut = new int[all.rows()];
    for (int fold = 1; fold <= FOLDS.count(); fold++) {
      try (Dataset rest = all.holdingOut(FOLDS, fold)) {
        assertThat(rest.rows()).isEqualTo(all.rows());
        for (int row = 0; row < all.rows(); row++) {
          boolean out = rest.split(row) != all.split(row);
          if (out) {
            heldOut[row]++;
            assertThat(all.split(row)).isEqualTo(Split.TRAIN);
            assertThat(rest.split(row)).isEqualTo(Split.UNUSED);
            assertThat(FOLDS.of(all, row)).isEqualTo(fold);
          }
          assertThat(rest.label(row)).isEqualTo(all.label(row));
          assertThat(rest.time(row)).isEqualTo(all.time(row));
          assertThat(rest.pairHash(row)).isEqualTo(all.pairHash(row));
          for (int field = 0; field < all.fields().size(); field++) {
            assertThat(rest.fieldId(field, row)).isEqualTo(all.fieldId(field, row));
          }
        }
        assertThat(rest.count(Split.TRAIN) + rest.count(Split.UNUSED))
            .isEqualTo(all.count(Split.TRAIN));
        assertThat(rest.hasLogits()).isFalse();
        assertThat(rest.trainRowsPerUser()[all.user(0)])
            .isEqualTo(
                (int)
                    IntStream.of(rest.rowsOf(Split.TRAIN))
                        .filter(row -> all.user(row) == all.user(0))
                        .count());
      }
    }
    assertThat(IntStream.of(all.rowsOf(Split.TRAIN)).map(row -> heldOut[row])).containsOnly(1);
    assertThat(IntStream.of(heldOut).sum()).isEqualTo(all.count(Split.TRAIN));
  }

  @Test
  void logitsJoinTheRows() {
    float[] logits = new float[all.rows()];
    for (int row = 0; row < logits.length; row++) {
      logits[row] = row / 7f - 50;
    }
    try (Dataset known = all.withLogits(logits, Folds.NONE)) {
      assertThat(known.hasLogits()).isTrue();
      assertThat(known.externalColumns()).isEqualTo(1);
      for (int row : new int[] {0, 1, 500, 1008}) {
        assertThat(known.external(row)).containsExactly(logits[row]);
        assertThat(known.split(row)).isEqualTo(all.split(row));
      }
    }
    assertThat(all.hasLogits()).isFalse();
  }

  /** A view gives its own columns back and leaves those of the log. */
  @Test
  void aViewOfALogInFilesOwnsItsColumnsOnly() {
    ColumnStore store = ColumnStore.inFiles(folder);
    DatasetBuilder builder = new DatasetBuilder("files", "", List.of(new Scenario("a")), store);
    for (int row = 0; row < 50; row++) {
      builder.row(builder.user("u" + row % 5), builder.item("i" + row), 0, row % 2, null, row);
    }
    builder.split(new SplitRule.Random(new SplitRule.Ratios(8, 1, 1), 3));
    builder.itemIdField(1);
    try (Dataset base = builder.build()) {
      try (Dataset rest = base.holdingOut(FOLDS, 2);
          Dataset known = base.withLogits(new float[50], Folds.NONE)) {
        assertThat(rest.count(Split.UNUSED)).isPositive();
        assertThat(known.external(49)).containsExactly(0);
      }
      assertThat(base.label(49)).isEqualTo(1);
      assertThat(base.count(Split.UNUSED)).isZero();
    }
  }

  @Test
  void impossibleViewsAreRefused() {
    assertThatThrownBy(() -> all.holdingOut(FOLDS, 0)).hasMessageContaining("fold 0 of 3");
    assertThatThrownBy(() -> all.holdingOut(FOLDS, 4)).hasMessageContaining("fold 4 of 3");
    assertThatThrownBy(() -> all.holdingOut(Folds.NONE, 1)).hasMessageContaining("fold 1 of 0");
    assertThatThrownBy(() -> all.withLogits(new float[3], Folds.NONE))
        .hasMessageContaining("3 logits");
  }
}
