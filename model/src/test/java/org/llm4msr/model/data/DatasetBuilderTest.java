package org.llm4msr.model.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.llm4msr.model.data.SplitRule.Ratios;
import org.llm4msr.runtime.UserError;

class DatasetBuilderTest {
  private static final Ratios EIGHT_ONE_ONE = new Ratios(8, 1, 1);

  private static DatasetBuilder twoScenarios() {
    return new DatasetBuilder("log", "", List.of(new Scenario("web"), new Scenario("store")));
  }

  private static Map<Split, Integer> counts(Dataset dataset) {
    Map<Split, Integer> counts = new EnumMap<>(Split.class);
    for (Split split : List.of(Split.TRAIN, Split.VALID, Split.TEST)) {
      counts.put(split, dataset.count(split));
    }
    return counts;
  }

  @Test
  void aCutLeavesAShareOfOneScenariosTrainingRowsAndTheSmallerWithinTheLarger() {
    Dataset whole = cutLog(1);
    Dataset tenth = cutLog(0.1);
    Dataset fifth = cutLog(0.2);
    int store = 0;
    int kept = 0;
    for (int row = 0; row < whole.rows(); row++) {
      boolean cuttable = whole.split(row) == Split.TRAIN && whole.scenario(row) == 1;
      store += cuttable ? 1 : 0;
      kept += cuttable && tenth.split(row) == Split.TRAIN ? 1 : 0;
      if (!cuttable) {
        assertThat(tenth.split(row)).isEqualTo(whole.split(row));
      } else if (tenth.split(row) == Split.TRAIN) {
        assertThat(fifth.split(row)).isEqualTo(Split.TRAIN);
      }
    }
    // Binomial: five deviations around a tenth.
    double deviation = Math.sqrt(store * 0.1 * 0.9);
    assertThat((double) kept).isBetween(0.1 * store - 5 * deviation, 0.1 * store + 5 * deviation);
    assertThat(tenth.count(Split.UNUSED)).isEqualTo(store - kept);
    assertThat(tenth.fields().getFirst().vocabulary().size())
        .as("vocabularies come from what is left")
        .isLessThan(whole.fields().getFirst().vocabulary().size());
  }

  private static Dataset cutLog(double share) {
    DatasetBuilder builder = twoScenarios();
    for (int row = 0; row < 6_000; row++) {
      // Half of the items are met in the store alone.
      int item = builder.item("i" + row % 2 + "/" + row / 2 % 1_500);
      builder.row(builder.user("u" + row % 77), item, row % 2, row / 7 % 2, null, row);
    }
    builder.split(new SplitRule.Random(EIGHT_ONE_ONE, 3));
    builder.cut(1, share);
    builder.itemIdField(1);
    return builder.build();
  }

  @Test
  void vocabulariesKnowTrainingValuesOnlyAndDropRareOnes() {
    DatasetBuilder builder = twoScenarios();
    CodedColumn colour = new CodedColumn();
    String[] colours = {"red", "red", "blue", "green", "white", null};
    Split[] parts = {Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST, Split.TRAIN};
    for (int row = 0; row < colours.length; row++) {
      builder.row(builder.user("u"), builder.item("i" + row), row % 2, row % 2, parts[row], row);
      colour.add(colours[row]);
    }
    builder.field("any", Field.Owner.ROW, colour, 1);
    builder.field("often", Field.Owner.ROW, colour, 2);
    builder.itemIdField(1);
    Dataset dataset = builder.build();
    assertThat(dataset.fields().get(0).vocabulary().values()).containsExactly("red", "blue");
    assertThat(dataset.fields().get(1).vocabulary().values()).containsExactly("red");
    int[] any = new int[colours.length];
    int[] often = new int[colours.length];
    for (int row = 0; row < colours.length; row++) {
      any[row] = dataset.fieldId(0, row);
      often[row] = dataset.fieldId(1, row);
    }
    assertThat(any).containsExactly(1, 1, 2, 0, 0, 0);
    assertThat(often).containsExactly(1, 1, 0, 0, 0, 0);
    assertThat(dataset.fieldId(2, 3)).as("an item that only validation knows").isZero();
    assertThat(dataset.fieldId(2, 5)).isNotZero();
  }

  @Test
  void numbersAreStandardisedByTheTrainingRows() {
    DatasetBuilder builder = twoScenarios();
    NumberColumn price = new NumberColumn();
    double[] prices = {10, 40, Double.NaN, 1000};
    for (int item = 0; item < prices.length; item++) {
      price.set(builder.item("i" + item), prices[item]);
    }
    // Item 0 twice, item 1 once, item 2 once, item 3 in the test part only.
    int[] items = {0, 0, 1, 2, 3};
    for (int row = 0; row < items.length; row++) {
      Split part = row < 4 ? Split.TRAIN : Split.TEST;
      builder.row(builder.user("u"), items[row], row % 2, row % 2, part, row);
    }
    builder.numberField("price", Field.Owner.ITEM, price, 3);
    builder.numberField("constant", Field.Owner.ROW, constant(7), 0);
    builder.numberField("never", Field.Owner.ROW, new NumberColumn(), 0);
    Dataset dataset = builder.build();
    Field field = dataset.fields().getFirst();
    // Of 10, 10, 40: mean 20, variance 200.
    double deviation = Math.sqrt(200);
    assertThat(field.dim()).isEqualTo(3);
    assertThat(field.isNumber()).isTrue();
    assertThat(field.isNamed()).isFalse();
    assertThat(field.factor(0, 0)).isEqualTo((float) (-10 / deviation));
    assertThat(field.factor(1, 0)).isEqualTo((float) (20 / deviation));
    assertThat(field.factor(3, 0)).isEqualTo((float) (980 / deviation));
    assertThat(field.factor(2, 0)).isOne();
    assertThat(new int[] {field.id(0), field.id(1), field.id(2), field.id(3)})
        .containsExactly(1, 1, Vocabulary.UNKNOWN, 1);
    assertThat(dataset.fields().get(1).factor(0, 0)).isZero();
    assertThat(dataset.fields().get(2).id(0)).isEqualTo(Vocabulary.UNKNOWN);
    assertThat(dataset.factorColumns()).isEqualTo(3);
  }

  private static NumberColumn constant(double number) {
    NumberColumn column = new NumberColumn();
    for (int row = 0; row < 5; row++) {
      column.add(number);
    }
    return column;
  }

  @Test
  void largeNumbersKeepTheirDifferences() {
    DatasetBuilder builder = twoScenarios();
    NumberColumn time = new NumberColumn();
    for (int row = 0; row < 3; row++) {
      builder.row(builder.user("u"), builder.item("i"), row % 2, row % 2, Split.TRAIN, row);
      time.add(1e15 + row);
    }
    builder.numberField("time", Field.Owner.ROW, time, 0);
    Field field = builder.build().fields().getFirst();
    // 0, 1, 2 have the variance 2/3.
    assertThat(field.factor(2, 0)).isEqualTo((float) (1 / Math.sqrt(2.0 / 3)));
  }

  @Test
  void hashedValuesFallIntoSoManyIdsAndSharedOnesKeepThoseOfTheOtherField() {
    DatasetBuilder builder = twoScenarios();
    CodedColumn last = new CodedColumn();
    for (int row = 0; row < 200; row++) {
      Split part = row < 100 ? Split.TRAIN : Split.TEST;
      builder.row(builder.user("u"), builder.item("i" + row), row % 2, row % 2, part, row);
      last.add(row == 0 ? null : "i" + (row - 1));
    }
    builder.itemIdField(new FieldOptions(1, 0, 5, ""));
    builder.field("last", Field.Owner.ROW, last, new FieldOptions(1, 0, 0, "item"));
    builder.field("hashed", Field.Owner.ROW, last, new FieldOptions(1, 20, 0, ""));
    Dataset dataset = builder.build();
    Field item = dataset.fields().get(0);
    Field shared = dataset.fields().get(1);
    Field hashed = dataset.fields().get(2);
    assertThat(shared.table()).isEqualTo("item");
    assertThat(shared.dim()).isEqualTo(5);
    assertThat(shared.vocabulary()).isSameAs(item.vocabulary());
    assertThat(shared.id(0)).isEqualTo(Vocabulary.UNKNOWN);
    assertThat(hashed.id(0)).isEqualTo(Vocabulary.UNKNOWN);
    assertThat(hashed.vocabulary().size()).isEqualTo(21);
    int[] seen = new int[21];
    for (int row = 1; row < 200; row++) {
      assertThat(shared.id(row)).isEqualTo(item.id(row - 1));
      seen[hashed.id(row)]++;
    }
    assertThat(seen[0]).isZero();
    // Binomial(199, 1/20): mean 10, standard deviation 3; each id is used, none by a third.
    for (int id = 1; id < seen.length; id++) {
      assertThat(seen[id]).isBetween(1, 30);
    }
    FieldOptions unknown = new FieldOptions(1, 0, 0, "nothing");
    assertThatThrownBy(() -> builder.field("other", Field.Owner.ROW, last, unknown))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void logitsOfAnExistingRecommenderAreThereForAllRowsOrNone() {
    DatasetBuilder builder = twoScenarios();
    for (int row = 0; row < 3; row++) {
      builder.row(builder.user("u"), builder.item("i"), row % 2, row % 2, Split.TRAIN, row);
      builder.logit(row / 4.0);
    }
    assertThatThrownBy(() -> builder.logit(1)).isInstanceOf(IllegalArgumentException.class);
    Dataset dataset = builder.build();
    assertThat(dataset.hasLogits()).isTrue();
    assertThat(dataset.external(2)).containsExactly(0.5f);
    DatasetBuilder partial = twoScenarios();
    for (int row = 0; row < 3; row++) {
      partial.row(partial.user("u"), partial.item("i"), row % 2, row % 2, Split.TRAIN, row);
    }
    assertThatThrownBy(() -> partial.logit(1)).hasMessageContaining("an earlier one has none");
  }

  @Test
  void representationsAreStandardisedByTheTrainingRows() {
    DatasetBuilder builder = twoScenarios();
    float[][] given = {{1, 5, 7}, {3, 5, -7}, {11, 5, 0}, {100, 6, 0}};
    for (int row = 0; row < given.length; row++) {
      Split part = row < 3 ? Split.TRAIN : Split.TEST;
      builder.row(builder.user("u"), builder.item("i"), row % 2, row % 2, part, row);
      builder.representation(given[row]);
    }
    Dataset dataset = builder.build();
    assertThat(dataset.hasLogits()).isFalse();
    assertThat(dataset.representationWidth()).isEqualTo(3);
    // Mean 5 and deviation sqrt(56/3); nothing but 5; mean 0 and deviation sqrt(98/3).
    float[] tested = dataset.external(3);
    assertThat(tested[0]).isCloseTo((float) (95 / Math.sqrt(56 / 3.0)), within(1e-5f));
    assertThat(tested[1]).isEqualTo(1);
    assertThat(dataset.external(0)[2]).isCloseTo((float) (7 / Math.sqrt(98 / 3.0)), within(1e-6f));

    DatasetBuilder uneven = twoScenarios();
    for (int row = 0; row < 2; row++) {
      uneven.row(uneven.user("u"), uneven.item("i"), row, row, Split.TRAIN, row);
      if (row == 0) {
        uneven.representation(1, 2);
      }
    }
    assertThatThrownBy(() -> uneven.representation(1)).hasMessageContaining("width 1");
    assertThatThrownBy(() -> uneven.logit(1)).hasMessageContaining("width 0");
    assertThatThrownBy(() -> uneven.representation(1, Float.NaN)).hasMessageContaining("NaN");
    assertThatThrownBy(uneven::build).hasMessageContaining("1 of 2 rows");
  }

  @Test
  void listsArePaddedAndPooledOverWhatIsKnown() {
    DatasetBuilder builder = twoScenarios();
    ListColumn tags = new ListColumn();
    tags.set(builder.item("i0"), List.of("a", "new", "b"));
    builder.item("i1");
    tags.set(builder.item("i2"), List.of("b", "b", "a"));
    tags.set(builder.item("i3"), List.of("new"));
    int[] items = {0, 1, 2, 3};
    for (int row = 0; row < items.length; row++) {
      Split part = row < 3 ? Split.TRAIN : Split.TEST;
      builder.row(builder.user("u"), items[row], row % 2, row % 2, part, row);
    }
    builder.itemIdField(1);
    FieldOptions twice = FieldOptions.ofMinCount(2);
    builder.listField("mean", Field.Owner.ITEM, tags, twice, Pooling.MEAN, 9);
    builder.listField("sum", Field.Owner.ITEM, tags, twice, Pooling.SUM, 2);
    FieldOptions shared = new FieldOptions(1, 0, 0, "mean");
    builder.listField("same", Field.Owner.ITEM, tags, shared, Pooling.SUM, 1);
    builder.listField("attended", Field.Owner.ITEM, tags, shared, Pooling.ATTENTION, 9);
    Dataset dataset = builder.build();
    Field mean = dataset.fields().get(1);
    // b three times, a twice in training rows, new once only.
    assertThat(mean.vocabulary().values()).containsExactly("b", "a");
    assertThat(mean.length()).isEqualTo(3);
    assertThat(mean.isNumber()).isFalse();
    assertThat(mean.isNamed()).isFalse();
    assertList(mean, 0, new int[] {2, 1, 0}, 0.5f, 0.5f, 0);
    assertList(mean, 1, new int[] {0, 0, 0}, 1, 0, 0);
    assertList(mean, 2, new int[] {1, 1, 2}, 1f / 3, 1f / 3, 1f / 3);
    assertList(mean, 3, new int[] {0, 0, 0}, 1, 0, 0);
    Field sum = dataset.fields().get(2);
    assertList(sum, 0, new int[] {2, 1}, 1, 1);
    assertList(sum, 2, new int[] {1, 1}, 1, 1);
    Field same = dataset.fields().get(3);
    assertThat(same.table()).isEqualTo("mean");
    assertList(same, 0, new int[] {2}, 1);
    Field attended = dataset.fields().get(4);
    assertThat(attended.hasAttention()).isTrue();
    assertThat(same.hasAttention()).isFalse();
    assertList(attended, 0, new int[] {2, 1, 0}, 1, 1, 0);
    assertList(attended, 1, new int[] {0, 0, 0}, 1, 0, 0);
    assertThat(dataset.idColumns()).isEqualTo(1 + 3 + 2 + 1 + 3);
    assertThat(dataset.factorColumns()).isEqualTo(3 + 2 + 1 + 3);
  }

  private static void assertList(Field field, int entry, int[] ids, float... factors) {
    for (int k = 0; k < ids.length; k++) {
      assertThat(field.id(entry, k)).as("%s %d %d", field.name(), entry, k).isEqualTo(ids[k]);
      assertThat(field.factor(entry, k)).isEqualTo(factors[k]);
    }
  }

  @Test
  void aFieldOfUsersFollowsTheUserAndNewcomersAreUnknown() {
    DatasetBuilder builder = twoScenarios();
    CodedColumn gender = new CodedColumn();
    gender.set(builder.user("ann"), "F");
    gender.set(builder.user("bob"), "M");
    builder.user("never seen");
    for (int row = 0; row < 4; row++) {
      String who = row < 2 ? "bob" : "ann";
      builder.row(builder.user(who), builder.item("i"), row % 2, row / 2, Split.TRAIN, row);
    }
    builder.field("gender", Field.Owner.USER, gender, 1);
    Dataset dataset = builder.build();
    Field field = dataset.fields().getFirst();
    assertThat(field.vocabulary().value(dataset.fieldId(0, 0))).isEqualTo("M");
    assertThat(field.vocabulary().value(dataset.fieldId(0, 3))).isEqualTo("F");
    assertThat(dataset.users()).isEqualTo(3);
    assertThat(field.id(dataset.findUser("never seen"))).isZero();
    assertThat(dataset.trainRowsPerUser()).containsExactly(2, 2, 0);
  }

  @Test
  void aRandomSplitHasTheRatiosAndDoesNotDependOnTheOrder() {
    List<int[]> rows = new ArrayList<>();
    for (int user = 0; user < 100; user++) {
      for (int item = 0; item < 100; item++) {
        rows.add(new int[] {user, item});
      }
    }
    Map<String, Split> first = randomSplit(rows, 7);
    Collections.shuffle(rows, new Random(1));
    assertThat(randomSplit(rows, 7)).isEqualTo(first);
    assertThat(randomSplit(rows, 8)).isNotEqualTo(first);
    long train = first.values().stream().filter(s -> s == Split.TRAIN).count();
    long valid = first.values().stream().filter(s -> s == Split.VALID).count();
    // Binomial(10000, 0.8) and (10000, 0.1): standard deviations 40 and 30; five of them.
    assertThat(train).isBetween(7800L, 8200L);
    assertThat(valid).isBetween(850L, 1150L);
  }

  private static Map<String, Split> randomSplit(List<int[]> rows, long seed) {
    DatasetBuilder builder = twoScenarios();
    for (int[] row : rows) {
      builder.row(
          builder.user("u" + row[0]),
          builder.item("i" + row[1]),
          row[1] % 2,
          row[0] % 2,
          null,
          Dataset.NO_TIME);
    }
    builder.split(new SplitRule.Random(EIGHT_ONE_ONE, seed));
    Dataset dataset = builder.build();
    Map<String, Split> splits = new HashMap<>();
    for (int row = 0; row < dataset.rows(); row++) {
      splits.put(
          dataset.userKey(dataset.user(row)) + dataset.itemKey(dataset.item(row)),
          dataset.split(row));
    }
    return splits;
  }

  @Test
  void aSplitByTimeCutsAtTheQuantilesAndKeepsEqualTimesTogether() {
    DatasetBuilder builder = Logs.random(1000, 20, 20, 2, 4);
    builder.split(new SplitRule.ByTime(EIGHT_ONE_ONE));
    Dataset dataset = builder.build();
    for (int row = 0; row < 1000; row++) {
      Split expected = row < 800 ? Split.TRAIN : row < 900 ? Split.VALID : Split.TEST;
      assertThat(dataset.split(row)).isEqualTo(expected);
    }

    DatasetBuilder ties = twoScenarios();
    for (int row = 0; row < 100; row++) {
      ties.row(ties.user("u"), ties.item("i" + row), row % 2, row / 2 % 2, null, row / 30);
    }
    ties.split(new SplitRule.ByTime(EIGHT_ONE_ONE));
    // Times 0, 1, 2 for 30 rows each and 3 for 10: the 80 % mark lies within time 2.
    assertThat(counts(ties.build()))
        .isEqualTo(Map.of(Split.TRAIN, 60, Split.VALID, 30, Split.TEST, 10));
  }

  @Test
  void aSplitByTimeNeedsTimes() {
    DatasetBuilder builder = twoScenarios();
    builder.row(builder.user("u"), builder.item("i"), 0, 0, null, 5);
    builder.row(builder.user("u"), builder.item("i"), 0, 0, null, Dataset.NO_TIME);
    assertThatThrownBy(() -> builder.split(new SplitRule.ByTime(EIGHT_ONE_ONE)))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("row 2 has none");
  }

  @Test
  void coldUsersAreInOnePartOnly() {
    DatasetBuilder builder = Logs.random(20_000, 500, 50, 2, 4);
    builder.split(new SplitRule.ColdUsers(EIGHT_ONE_ONE, 9));
    Dataset dataset = builder.build();
    Map<Integer, Split> partOfUser = new HashMap<>();
    for (int row = 0; row < dataset.rows(); row++) {
      Split part = dataset.split(row);
      assertThat(partOfUser.merge(dataset.user(row), part, (a, b) -> a)).isEqualTo(part);
    }
    assertThat(partOfUser.values()).contains(Split.TRAIN, Split.VALID, Split.TEST);
  }

  @Test
  void whatCannotBeTrainedOnIsRefused() {
    assertThatThrownBy(() -> twoScenarios().build()).hasMessage("log: the log has no rows");

    DatasetBuilder empty = twoScenarios();
    empty.row(empty.user("u"), empty.item("i"), 0, 1, Split.TRAIN, 0);
    assertThatThrownBy(empty::build)
        .isInstanceOf(UserError.class)
        .hasMessageContaining("scenario store has no rows");

    DatasetBuilder untrained = twoScenarios();
    untrained.row(untrained.user("u"), untrained.item("i"), 0, 1, Split.TRAIN, 0);
    untrained.row(untrained.user("u"), untrained.item("i"), 1, 1, Split.TEST, 0);
    assertThatThrownBy(untrained::build).hasMessageContaining("store has no training rows");

    DatasetBuilder oneLabel = twoScenarios();
    oneLabel.row(oneLabel.user("u"), oneLabel.item("i"), 0, 1, Split.TRAIN, 0);
    oneLabel.row(oneLabel.user("u"), oneLabel.item("i"), 1, 1, Split.TRAIN, 0);
    assertThatThrownBy(oneLabel::build).hasMessageContaining("every training row has label 1");

    assertThatThrownBy(() -> new Ratios(0, 1, 1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Ratios(1, Double.NaN, 1))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void foldsDivideTrainingRowsEvenlyAndKeepRepeatsTogether() {
    Dataset dataset = Logs.randomWithFields(20_000, 300, 300, 2, 4);
    Folds folds = new Folds(4);
    int[] count = new int[5];
    Map<Long, Integer> foldOfPair = new HashMap<>();
    for (int row = 0; row < dataset.rows(); row++) {
      int fold = folds.of(dataset, row);
      count[fold]++;
      if (dataset.split(row) == Split.TRAIN) {
        long pair = dataset.user(row) * 1000L + dataset.item(row);
        assertThat(foldOfPair.merge(pair, fold, (a, b) -> a)).isEqualTo(fold);
        int profile = folds.profile(dataset, row);
        assertThat(folds.user(profile)).isEqualTo(dataset.user(row));
        assertThat(folds.fold(profile)).isEqualTo(fold);
      }
    }
    assertThat(count[Folds.ALL_ROWS])
        .isEqualTo(dataset.count(Split.VALID) + dataset.count(Split.TEST));
    for (int fold = 1; fold <= 4; fold++) {
      // About Binomial(16000, 1/4), standard deviation 55, more for the repeats.
      assertThat(count[fold]).isBetween(3600, 4400);
    }
    assertThat(folds.profiles(dataset)).isEqualTo(dataset.users() * 5);
    assertThat(Folds.NONE.profile(dataset, 17)).isEqualTo(dataset.user(17));
  }
}
