package org.llm4msr.model.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.llm4msr.runtime.UserError;

/** What a row's history holds, against a search of the whole log for each row. */
class HistoryFieldTest {
  private static final int ROWS = 600;
  private static final int MOST = 4;

  private static DatasetBuilder builder() {
    return new DatasetBuilder("log", "", List.of(new Scenario("web")));
  }

  /** Rows in any order of time, many of the same time, some without. */
  private static DatasetBuilder log() {
    Random random = new Random(3);
    DatasetBuilder builder = builder();
    builder.user("nobody");
    for (int row = 0; row < ROWS; row++) {
      int user = builder.user("u" + random.nextInt(9));
      int item = builder.item("i" + random.nextInt(random.nextInt(40) + 1));
      long time = random.nextInt(12) == 0 ? Dataset.NO_TIME : random.nextInt(50) - 20;
      Split part = Split.values()[random.nextInt(8) < 5 ? 0 : random.nextInt(4)];
      builder.row(user, item, 0, random.nextInt(2), part, time);
    }
    return builder;
  }

  /** Rows whose item a row's user liked before it: the last ones, oldest first. */
  private static List<Integer> before(Dataset dataset, int row, Field item) {
    List<Integer> earlier =
        IntStream.range(0, dataset.rows())
            .filter(r -> dataset.user(r) == dataset.user(row))
            .filter(r -> dataset.split(r) == Split.TRAIN && dataset.label(r) == 1)
            .filter(r -> dataset.time(r) != Dataset.NO_TIME)
            .filter(r -> dataset.time(r) < dataset.time(row))
            .filter(r -> item.id(dataset.item(r)) != Vocabulary.UNKNOWN)
            .boxed()
            .sorted(Comparator.comparingLong(dataset::time))
            .toList();
    return earlier.subList(Math.max(0, earlier.size() - MOST), earlier.size());
  }

  @ParameterizedTest
  @EnumSource
  void holdsTheLastLikedTrainingItemsOfAnEarlierTime(Pooling pooling) {
    DatasetBuilder builder = log();
    builder.itemIdField(12);
    builder.historyField("history", pooling, MOST);
    Dataset dataset = builder.build();
    Field item = dataset.fields().get(0);
    Field history = dataset.fields().get(1);
    assertThat(history.table()).isEqualTo("item");
    assertThat(history.vocabulary()).isSameAs(item.vocabulary());
    assertThat(history.length()).isEqualTo(MOST);
    assertThat(history.owner()).isEqualTo(Field.Owner.ROW);
    assertThat(history.hasAttention()).isEqualTo(pooling == Pooling.ATTENTION);
    int full = 0;
    int empty = 0;
    for (int row = 0; row < ROWS; row++) {
      List<Integer> expected = new ArrayList<>();
      before(dataset, row, item).forEach(r -> expected.add(item.id(dataset.item(r))));
      full += expected.size() == MOST ? 1 : 0;
      empty += expected.isEmpty() ? 1 : 0;
      int count = Math.max(1, expected.size());
      for (int k = 0; k < MOST; k++) {
        assertThat(history.id(row, k))
            .as("row %d, element %d", row, k)
            .isEqualTo(k < expected.size() ? expected.get(k) : Vocabulary.UNKNOWN);
        float there = pooling == Pooling.MEAN ? 1f / count : 1;
        assertThat(history.factor(row, k)).isEqualTo(k < count ? there : 0);
      }
    }
    assertThat(full).isGreaterThan(100);
    assertThat(empty).isGreaterThan(50);
  }

  /** Every row has an item of its own, so that an id says which row it comes from. */
  @Test
  void neverHoldsTheRowItselfNorAnythingLaterNorAnotherPart() {
    Random random = new Random(5);
    DatasetBuilder builder = builder();
    for (int row = 0; row < ROWS; row++) {
      int item = builder.item(Integer.toString(row));
      Split part = Split.values()[random.nextInt(3)];
      builder.row(
          builder.user("u" + row % 5), item, 0, random.nextInt(3) / 2, part, random.nextInt(40));
    }
    builder.itemIdField(1);
    builder.historyField("history", Pooling.ATTENTION, 1000);
    Dataset dataset = builder.build();
    Field history = dataset.fields().get(1);
    int seen = 0;
    for (int row = 0; row < ROWS; row++) {
      for (int k = 0; k < history.length(); k++) {
        int id = history.id(row, k);
        if (id != Vocabulary.UNKNOWN) {
          int from = Integer.parseInt(history.vocabulary().value(id));
          assertThat(dataset.time(from)).isLessThan(dataset.time(row));
          assertThat(dataset.user(from)).isEqualTo(dataset.user(row));
          assertThat(dataset.label(from)).isEqualTo(1);
          assertThat(dataset.split(from)).isEqualTo(Split.TRAIN);
          seen++;
        }
      }
    }
    assertThat(seen).isGreaterThan(1000);
  }

  /** The labels of a row, of later ones and of other parts' rows do not change its history. */
  @Test
  void doesNotDependOnLabelsThatMustNotBeKnown() {
    Dataset before = labelled(-1);
    for (int changed = 0; changed < 40; changed++) {
      Dataset after = labelled(changed);
      for (int row = 0; row < before.rows(); row++) {
        boolean known =
            before.split(changed) == Split.TRAIN
                && before.user(changed) == before.user(row)
                && before.time(changed) < before.time(row);
        if (!known) {
          assertThat(ids(after, row)).as("row %d of %d", row, changed).isEqualTo(ids(before, row));
        }
      }
    }
  }

  private static List<Integer> ids(Dataset dataset, int row) {
    Field history = dataset.fields().get(1);
    return IntStream.range(0, 20)
        .map(k -> k < history.length() ? history.id(row, k) : Vocabulary.UNKNOWN)
        .boxed()
        .toList();
  }

  private static Dataset labelled(int flipped) {
    Random random = new Random(7);
    DatasetBuilder builder = builder();
    for (int row = 0; row < 40; row++) {
      int label = random.nextInt(2) ^ (row == flipped ? 1 : 0);
      Split part = Split.values()[random.nextInt(4) % 3];
      int item = builder.item("i" + row);
      builder.row(builder.user("u" + row % 2), item, 0, label, part, random.nextInt(15));
    }
    builder.itemIdField(1);
    builder.historyField("history", Pooling.SUM, 20);
    return builder.build();
  }

  @Test
  void mistakesAreNamed() {
    DatasetBuilder timeless = builder();
    timeless.row(timeless.user("u"), timeless.item("i"), 0, 1, Split.TRAIN, Dataset.NO_TIME);
    timeless.itemIdField(1);
    assertThatThrownBy(() -> timeless.historyField("past", Pooling.MEAN, 5))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("log: past is a history")
        .hasMessageContaining("no row has a time");
    DatasetBuilder itemless = log();
    assertThatThrownBy(() -> itemless.historyField("past", Pooling.MEAN, 5))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("item");
    itemless.itemIdField(1);
    assertThatThrownBy(() -> itemless.historyField("past", Pooling.MEAN, 0))
        .hasMessageContaining("at most 0");
  }
}
