package org.llm4msr.model.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TrainingRowsChecksumTest {
  private record Row(String user, String item, String scenario, int label, Split part) {}

  private static List<Row> rows() {
    Random random = new Random(3);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      rows.add(
          new Row(
              "u" + random.nextInt(20),
              "i" + random.nextInt(20),
              random.nextBoolean() ? "web" : "store",
              random.nextInt(2),
              i % 10 == 0 ? Split.TEST : Split.TRAIN));
    }
    return rows;
  }

  private static String checksum(List<Row> rows, String... scenarios) {
    List<Scenario> named = List.of(scenarios).stream().map(Scenario::new).toList();
    DatasetBuilder builder = new DatasetBuilder("log", "", named);
    for (Row row : rows) {
      builder.row(
          builder.user(row.user),
          builder.item(row.item),
          List.of(scenarios).indexOf(row.scenario),
          row.label,
          row.part,
          Dataset.NO_TIME);
    }
    return builder.build().trainingRowsChecksum();
  }

  private static String checksum(List<Row> rows) {
    return checksum(rows, "web", "store");
  }

  private static List<Row> with(int at, Row row) {
    List<Row> rows = rows();
    rows.set(at, row);
    return rows;
  }

  /** Computed in Python from FNV-1a and the finaliser of SplitMix64. */
  @Test
  void itIsTheSameOnEveryMachine() {
    assertThat(
            checksum(
                List.of(
                    new Row("a", "b", "web", 1, Split.TRAIN),
                    new Row("a", "日本", "store", 0, Split.TRAIN),
                    new Row("c", "b", "web", 1, Split.TEST))))
        .isEqualTo("80f28af9a0049d1f");
  }

  @Test
  void orderAndWhatIsNotTrainedOnDoNotCount() {
    String expected = checksum(rows());
    List<Row> shuffled = rows();
    Collections.shuffle(shuffled, new Random(4));
    assertThat(checksum(shuffled)).isEqualTo(expected);
    assertThat(checksum(rows(), "store", "web")).isEqualTo(expected);
    assertThat(checksum(with(10, new Row("x", "y", "web", 1, Split.VALID)))).isEqualTo(expected);
    List<Row> more = rows();
    more.add(0, new Row("x", "y", "web", 1, Split.TEST));
    assertThat(checksum(more)).isEqualTo(expected);
  }

  @Test
  void everyPartOfATrainingRowCounts() {
    Row row = rows().get(7);
    List<List<Row>> changed = new ArrayList<>(List.of(rows()));
    changed.add(with(7, new Row("x", row.item, row.scenario, row.label, row.part)));
    changed.add(with(7, new Row(row.user, "x", row.scenario, row.label, row.part)));
    String other = row.scenario.equals("web") ? "store" : "web";
    changed.add(with(7, new Row(row.user, row.item, other, row.label, row.part)));
    changed.add(with(7, new Row(row.user, row.item, row.scenario, 1 - row.label, row.part)));
    changed.add(with(7, new Row(row.user, row.item, row.scenario, row.label, Split.TEST)));
    List<Row> twice = rows();
    twice.add(row);
    changed.add(twice);
    // An even number of repeats must not cancel itself.
    List<Row> thrice = new ArrayList<>(twice);
    thrice.add(row);
    changed.add(thrice);
    // A key of one column is not the same in another.
    changed.add(with(7, new Row(row.item, row.user, row.scenario, row.label, row.part)));
    assertThat(changed.stream().map(TrainingRowsChecksumTest::checksum)).doesNotHaveDuplicates();
  }
}
