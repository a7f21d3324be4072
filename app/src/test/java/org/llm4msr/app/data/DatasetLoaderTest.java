package org.llm4msr.app.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.TextTable;
import org.llm4msr.model.prompt.Language;
import org.llm4msr.runtime.UserError;

class DatasetLoaderTest extends LoadedLog {
  /** The words behind a row's ids; "?" for unknown. */
  private static List<String> values(Dataset dataset, int row) {
    List<String> values = new ArrayList<>();
    for (int f = 0; f < dataset.fields().size(); f++) {
      int id = dataset.fieldId(f, row);
      values.add(id == 0 ? "?" : dataset.fields().get(f).vocabulary().value(id));
    }
    return values;
  }

  private static void check(Dataset dataset) {
    assertThat(dataset.rows()).isEqualTo(5);
    assertThat(dataset.users()).isEqualTo(4);
    assertThat(dataset.items()).isEqualTo(4);
    assertThat(dataset.scenarios()).extracting("name").containsExactly("web", "Store");
    assertThat(values(dataset, 0))
        .containsExactly("007", "i1", "9", "Kitchen", "256 to 511", "basic");
    assertThat(values(dataset, 2))
        .containsExactly("ann", "i1", "10", "Kitchen", "256 to 511", "golden");
    assertThat(values(dataset, 3)).containsExactly("ann", "?", "?", "?", "?", "golden");
    assertThat(values(dataset, 4)).containsExactly("?", "i2", "?", "Food", "1024 to 2047", "?");
    assertThat(dataset.findUser("007")).isEqualTo(dataset.user(0));
    assertThat(dataset.itemKey(dataset.item(3))).isEqualTo("i,3");
    int[] labels = new int[5];
    Split[] splits = new Split[5];
    for (int row = 0; row < 5; row++) {
      labels[row] = dataset.label(row);
      splits[row] = dataset.split(row);
      assertThat(dataset.scenario(row)).isEqualTo(row == 2 || row == 3 ? 1 : 0);
      assertThat(row == 0 ? 0 : dataset.time(row - 1)).isLessThan(dataset.time(row));
    }
    assertThat(labels).containsExactly(1, 0, 1, 0, 1);
    assertThat(splits)
        .containsExactly(Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST);
    TextTable text = dataset.itemText();
    int cup = dataset.findItem("i1");
    assertThat(text.title(cup)).isEqualTo("Cup, \"large\"");
    assertThat(text.categoryCount(cup)).isEqualTo(2);
    assertThat(text.categoryName(text.category(cup, 1))).isEqualTo("Gift");
    assertThat(text.title(dataset.findItem("i9"))).isEqualTo("Lamp");
    assertThat(text.categoryCount(dataset.findItem("i9"))).isZero();
    assertThat(text.title(dataset.findItem("i,3"))).isNull();
  }

  @Test
  void readsCsv() throws IOException {
    writeTables();
    Dataset dataset = load(YAML);
    check(dataset);
    // 2026-01-01T10:00:00Z, by date -d.
    assertThat(dataset.time(0)).isEqualTo(1_767_261_600_000_000L);
    assertThat(load(YAML, Language.JA).itemText().title(dataset.findItem("i2"))).isEqualTo("茶");
  }

  @Test
  void readsNumbersHashedAndSharedFeatures() throws IOException {
    writeTables();
    write("log.csv", LOG.replace(",at,part", ",at,part,last").replace("train\n", "train,i2\n"));
    String log = Files.readString(folder.resolve("log.csv"));
    write("log.csv", log.replaceAll("(TRAIN|valid|test)\n", "$1,i1\n"));
    Dataset dataset =
        load(
            YAML.replaceAll(
                "(?s)features:.*?split:",
                """
                features:
                  - {name: item, dim: 3}
                  - {name: hour, type: number}
                  - {name: price, from: items, type: number, dim: 2}
                  - {name: last, share: item}
                  - {name: tier, from: users, hash: 8}
                split:\
                """));
    // Hours 9, 9, 10 train: mean 28/3, variance 2/9. Prices 300, 1200, 300: mean 600, variance
    // 18e4.
    Field hour = dataset.fields().get(1);
    assertThat((double) hour.factor(0, 0)).isCloseTo(-1 / 3.0 / Math.sqrt(2 / 9.0), within(1e-6));
    assertThat(hour.id(3)).isZero();
    Field price = dataset.fields().get(2);
    assertThat(price.factor(dataset.findItem("i2"), 0)).isEqualTo((float) (600 / Math.sqrt(18e4)));
    assertThat(price.id(dataset.findItem("i,3"))).isZero();
    Field last = dataset.fields().get(3);
    assertThat(last.table()).isEqualTo("item");
    assertThat(last.id(0)).isEqualTo(dataset.fields().getFirst().id(dataset.findItem("i2")));
    assertThat(dataset.fields().get(4).vocabulary().size()).isEqualTo(9);
    assertThat(dataset.fields().get(4).id(dataset.findUser("007"))).isNotZero();
  }

  @Test
  void makesHistoriesOfTheLog() throws IOException {
    writeTables();
    String features =
        """
        features:
          - item
          - {name: liked, from: history, pooling: attention, max: 5}
        split:\
        """;
    Dataset dataset = load(YAML.replaceAll("(?s)features:.*?split:", features));
    Field item = dataset.fields().get(0);
    Field liked = dataset.fields().get(1);
    int cup = item.id(dataset.findItem("i1"));
    assertThat(liked.hasAttention()).isTrue();
    assertThat(liked.table()).isEqualTo("item");
    // Before their first rows 007 and ann had liked nothing, bob never has.
    assertThat(IntStream.range(0, 5).map(liked::id)).containsExactly(0, cup, 0, cup, 0);
  }

  @Test
  void readsListsOfWhichAllElementsCount() throws IOException, SQLException {
    writeTables();
    String features =
        """
        features:
          - {name: kinds, from: items, separator: "|", pooling: mean, labels: {Gift: present}}
        split:\
        """;
    Dataset dataset = load(YAML.replaceAll("(?s)features:.*?split:", features));
    Field kinds = dataset.fields().getFirst();
    int cup = dataset.findItem("i1");
    assertThat(kinds.length()).isEqualTo(2);
    assertThat(kinds.vocabulary().values()).containsExactlyInAnyOrder("Kitchen", "present", "Food");
    assertThat(kinds.vocabulary().value(kinds.id(cup, 1))).isEqualTo("present");
    assertThat(kinds.factor(cup, 1)).isEqualTo(0.5f);
    assertThat(kinds.id(dataset.findItem("i9"))).isZero();
    // A list column of Parquet needs no separator.
    try (Connection connection = DriverManager.getConnection("jdbc:duckdb:");
        Statement statement = connection.createStatement()) {
      statement.execute(
          "COPY (SELECT id, name, name_ja, string_split(kinds, '|') AS kinds, price FROM"
              + " read_csv('%s/items.csv', all_varchar=true)) TO '%s/items.parquet'"
                  .formatted(folder, folder));
    }
    Field lists =
        load(YAML.replace("items.csv", "items.parquet")
                .replaceAll("(?s)features:.*?split:", features.replace("separator: \"|\", ", "")))
            .fields()
            .getFirst();
    assertThat(lists.vocabulary().values()).isEqualTo(kinds.vocabulary().values());
    assertThat(lists.id(cup, 1)).isEqualTo(kinds.id(cup, 1));
  }

  @Test
  void readsTheLogitOfAnExistingRecommender() throws IOException {
    writeTables();
    write("log.csv", LOG.replace("store,0,,", "store,0,-1.5,"));
    Dataset dataset = load(YAML.replace("time: at", "logit: hour"));
    assertThat(dataset.hasLogits()).isTrue();
    assertThat(dataset.external(3)).containsExactly(-1.5f);
    assertThat(dataset.external(4)).containsExactly(23f);
    assertThat(load(YAML).hasLogits()).isFalse();
  }

  /** Rows of a log with a representation, in the forms that files have for it. */
  private Dataset represented(String file, String rows, String keys) throws IOException {
    write(file, rows);
    return load(
        "interactions: {path: %s, user: u, item: i, scenario: s, label: y, %s}%nsplit: {column: part}%n"
            .formatted(file, keys));
  }

  @Test
  void readsTheRepresentationOfAnExistingRecommender() throws IOException {
    String columns =
        "u,i,s,y,part,a,b%na,x,web,1,train,1,-4%nb,x,web,0,train,3,4%nb,y,web,0,test,4,6%n";
    String list = columns.replace(",a,b", ",v").replaceAll("(\\d),(-?\\d)%n", "$1 $2%n");
    String json =
        """
        {"u": "a", "i": "x", "s": "web", "y": 1, "part": "train", "v": [1.0, -4]}
        {"u": "b", "i": "x", "s": "web", "y": 0, "part": "train", "v": [3, 4]}
        {"u": "b", "i": "y", "s": "web", "y": 0, "part": "test", "v": [4, 6]}
        """;
    String divided = "representation: {column: v, separator: ' '}";
    try (Dataset first = represented("c.csv", columns.formatted(), "representation: [a, b]");
        Dataset second = represented("l.csv", list.formatted(), divided);
        Dataset third = represented("l.jsonl", json, "representation: v")) {
      for (Dataset dataset : List.of(first, second, third)) {
        assertThat(dataset.representationWidth()).isEqualTo(2);
        assertThat(dataset.hasLogits()).isFalse();
        // Means 2 and 0, deviations 1 and 4.
        assertThat(dataset.external(0)).containsExactly(-1, -1);
        assertThat(dataset.external(2)).containsExactly(2, 1.5f);
      }
    }
    assertThatThrownBy(() ->
            represented(
                "c.csv", columns.replace("3,4", "3,").formatted(), "representation: [a, b]"))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("c.csv: row 2: ")
        .hasMessageContaining("(a, b) has 1 numbers, expected 2 as in the first row");
    assertThatThrownBy(
            () -> represented("l.csv", list.replace("3 4", "3 4 5").formatted(), divided))
        .hasMessageContaining("has 3 numbers, expected 2");
    assertThatThrownBy(() -> represented("l.csv", list.replace("1 -4", "").formatted(), divided))
        .hasMessageContaining("row 1: ")
        .hasMessageContaining("has 0 numbers, expected at least one");
    assertThatThrownBy(() ->
            represented(
                "c.csv", columns.replace("3,4", "3,NaN").formatted(), "representation: [a, b]"))
        .hasMessageContaining("row 2: column b holds 'NaN', expected finite numbers");
    assertThatThrownBy(() -> represented("c.csv", columns.formatted(), "representation: [a, y]"))
        .hasMessageContaining("column y gives the label away");
    assertThatThrownBy(
            () -> represented("c.csv", columns.formatted(), "logit: a, representation: [b]"))
        .hasMessageContaining("does not go together with logit");
  }

  @Test
  void readsCsvWithByteOrderMarkWindowsLineEndsAndOtherDelimiters() throws IOException {
    writeTables();
    write(
        "log.csv",
        "\uFEFF"
            + LOG.replace("\"i,3\"", "i|3")
                .replace(",", ";")
                .replace("i|3", "i,3")
                .replace("\n", "\r\n"));
    check(load(YAML.replace("path: log.csv", "path: log.csv\n  delimiter: \";\"")));
  }

  @ParameterizedTest
  @CsvSource({"parquet, (FORMAT parquet)", "jsonl, (FORMAT json)", "csv.gz, (FORMAT csv)"})
  void readsOtherFormatsAlike(String extension, String options) throws IOException, SQLException {
    writeTables();
    String copied = YAML;
    try (Connection connection = DriverManager.getConnection("jdbc:duckdb:");
        Statement statement = connection.createStatement()) {
      for (String table : List.of("log", "items", "users")) {
        statement.execute(
            "COPY (SELECT * FROM read_csv('%s/%s.csv', all_varchar=true)) TO '%s/%s.%s' %s"
                .formatted(folder, table, folder, table, extension, options));
        copied = copied.replace(table + ".csv", table + "." + extension);
        Files.delete(folder.resolve(table + ".csv"));
      }
    }
    check(load(copied));
  }

  @Test
  void readsTypedColumnsAndLists() throws IOException, SQLException {
    try (Connection connection = DriverManager.getConnection("jdbc:duckdb:");
        Statement statement = connection.createStatement()) {
      statement.execute(
          """
          COPY (SELECT 5 AS u, i AS i, true AS y, 's' AS s, ['a' || i, 'b'] AS tags,
                       TIMESTAMPTZ '2026-01-01 00:00:00+00' AS t, 4.5 AS stars
                FROM range(3) r(i)
                UNION ALL SELECT 6, 7, false, 's', [], NULL, 3)
          TO '%s/log.parquet' (FORMAT parquet)\
          """
              .formatted(folder));
    }
    String yaml =
        """
        interactions: {path: log.parquet, user: u, item: i, scenario: s, label: y, time: t}
        features: [user, {name: tag, column: tags}]
        split: {random: {train: 1, valid: 0, test: 0}}
        """;
    Dataset dataset = load(yaml);
    assertThat(values(dataset, 1)).containsExactly("5", "a1");
    assertThat(values(dataset, 3)).containsExactly("6", "?");
    assertThat(dataset.label(0)).isOne();
    assertThat(dataset.time(0)).isEqualTo(1_767_225_600_000_000L);
    assertThat(dataset.time(3)).isEqualTo(Dataset.NO_TIME);

    Dataset rated = load(yaml.replace("label: y", "label: {column: stars, above: 3}"));
    assertThat(rated.label(0)).isOne();
    assertThat(rated.label(3)).isZero();
    Dataset all = load(yaml.replace("label: y", "label: {column: stars, at_least: 4.5}"));
    assertThat(all.label(0)).isOne();
  }

  @Test
  void undeclaredScenariosAreTheValuesInTheLog() throws IOException {
    writeTables();
    String undeclared = YAML.replaceAll("(?s)scenarios:.*?features:", "features:");
    assertThat(load(undeclared).scenarios()).extracting("name").containsExactly("store", "web");
  }
}
