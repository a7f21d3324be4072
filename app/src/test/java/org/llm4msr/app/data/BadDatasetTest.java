package org.llm4msr.app.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Vocabulary;
import org.llm4msr.runtime.UserError;

/** Mistakes in descriptions and files: one line each, which names the place. */
class BadDatasetTest extends LoadedLog {
  static Stream<Arguments> badTables() {
    String web = YAML.replace("  store: Store\n", "");
    return Stream.of(
        Arguments.of(
            "log.csv",
            LOG.replace("clicked", "click"),
            YAML,
            "log.csv: has no column 'clicked', which the description names as interactions.label;"
                + " columns: user, item, place, click, hour, at, part"),
        Arguments.of(
            "log.csv",
            LOG.replace("bob,i2,web,1", "bob,i2,web,5"),
            YAML,
            "log.csv: row 5: column clicked is '5', expected 0 or 1"),
        Arguments.of(
            "log.csv",
            LOG.replace("bob,i2,web,1", "bob,i2,web,"),
            YAML,
            "row 5: column clicked is empty"),
        Arguments.of(
            "log.csv",
            LOG.replace(',', ';'),
            YAML,
            "; if something else than ',' divides its fields, say so with delimiter"),
        Arguments.of("log.csv", LOG.replace("bob,i2", ",i2"), YAML, "row 5: column user is empty"),
        Arguments.of(
            "log.csv",
            LOG.replace("bob,i2", "bob,i\u001E2"),
            YAML,
            "log.csv: row 5: holds the control character U+001E"),
        Arguments.of(
            "log.csv",
            LOG.replace("bob,i2", "\u001D,i2"),
            YAML,
            "log.csv: row 5: holds the control character U+001E, or a value that is U+001D; remove"),
        Arguments.of("log.csv", LOG.replace("bob,i2", "bob,"), YAML, "row 5: column item is empty"),
        Arguments.of(
            "log.csv",
            LOG.replace("bob,i2,web", "bob,i2,radio"),
            YAML,
            "row 5: scenario 'radio' is not declared"),
        Arguments.of("log.csv", LOG, web, "row 3: scenario 'store' is not declared"),
        Arguments.of(
            "log.csv",
            LOG,
            YAML.replace("store: Store", "store: Store\n  tv: TV"),
            "scenario TV has no rows"),
        Arguments.of(
            "log.csv", LOG.replace("TRAIN", "test"), YAML, "scenario Store has no training rows"),
        Arguments.of(
            "log.csv",
            LOG.replace("TRAIN", "exam"),
            YAML,
            "row 3: split part is 'exam', expected train, valid or test"),
        Arguments.of(
            "log.csv",
            LOG.replace("2026-01-02", "2026-13-02"),
            YAML,
            "row 3: time at is '2026-13-02', expected a number or a date"),
        Arguments.of(
            "log.csv", LOG.lines().findFirst().orElseThrow() + "\n", YAML, "the log has no rows"),
        Arguments.of("log.csv", "", YAML, "log.csv: is empty"),
        Arguments.of("log.csv", LOG + "x,y\n", YAML, "log.csv: cannot read: CSV Error on Line: 7"),
        Arguments.of("log.csv", LOG + "a,b,web,1,1,1,train,extra\n", YAML, "CSV Error on Line: 7"),
        Arguments.of(
            "log.csv", LOG.replace("hour", "user"), YAML, "log.csv: column 'user' is there twice"),
        Arguments.of(
            "log.csv",
            LOG.replaceAll("(?m)^(007|ann)", "x"),
            YAML,
            "users.csv: column id holds none of the users in column user"),
        Arguments.of(
            "items.csv",
            ITEMS + "i2,Tea,茶,,1\n",
            YAML,
            "items.csv: row 4: id 'i2' is there already, in row 2"),
        Arguments.of(
            "items.csv", ITEMS + ",Tea,茶,,1\n", YAML, "items.csv: row 4: column id is empty"),
        Arguments.of(
            "items.csv",
            ITEMS.replace("price", "cost"),
            YAML,
            "items.csv: has no column 'price', which the description names as features.price"),
        Arguments.of(
            "items.csv",
            ITEMS.replace("1200", "dear"),
            YAML.replace("buckets: log", "type: number"),
            "items.csv: row 2: column price is 'dear', expected a number, or nothing where it is"
                + " not known (feature price)"),
        Arguments.of(
            "log.csv",
            LOG.replace("1,23,", "1,Infinity,"),
            YAML.replace("{name: hour}", "{name: h, column: hour, type: number}"),
            "log.csv: row 5: column hour is 'Infinity', expected a number"),
        Arguments.of(
            "items.csv",
            ITEMS.replace("1200", "dear"),
            YAML,
            "items.csv: row 2: column price is 'dear', expected a number, or nothing where it is"
                + " not known (feature price, which has buckets)"),
        Arguments.of(
            "log.csv",
            LOG.replace("1,23,", "1,late|23,"),
            YAML.replace("{name: hour}", "{name: hour, separator: '|', buckets: {quantiles: 2}}"),
            "log.csv: row 5: column hour is 'late', expected a number"),
        Arguments.of(
            "log.csv",
            LOG.replace("store", "overall"),
            YAML.replaceAll("(?s)scenarios:.*features", "features"),
            "log.csv: column place: results call another part of the rows 'overall'; declare the"
                + " scenarios in "),
        Arguments.of(
            "log.csv",
            LOG,
            YAML.replace("time: at", "logit: hour"),
            "log.csv: row 4: logit hour is empty, expected a number in every row"),
        Arguments.of(
            "users.csv",
            USERS.replace("id", "key"),
            YAML,
            "users.csv: has no column 'id', which the description names as users.key"));
  }

  @ParameterizedTest
  @MethodSource("badTables")
  void badDataIsOneLine(String file, String text, String yaml, String message) throws IOException {
    writeTables();
    write(file, text);
    assertThatThrownBy(() -> load(yaml))
        .isInstanceOf(UserError.class)
        .hasMessageContaining(message)
        .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
  }

  /** Nothing, and NaN, say that a number is not known; only the first element counts. */
  @Test
  void bucketsTakeWhatIsNotKnown() throws IOException {
    writeTables();
    write("items.csv", ITEMS.replace("300", "nan").replace("1200", "").replace(",5\n", ",5|x\n"));
    Dataset dataset = load(YAML.replace("buckets: log", "separator: '|', buckets: log"));
    Field price =
        dataset.fields().stream().filter(f -> f.name().equals("price")).findFirst().orElseThrow();
    for (String item : List.of("i1", "i2")) {
      assertThat(price.id(dataset.findItem(item), 0)).isEqualTo(Vocabulary.UNKNOWN);
    }
  }

  @Test
  void aMissingFileIsNamedWithTheFolderThatPathsStartFrom() {
    assertThatThrownBy(() -> load(YAML))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("log.csv: no such file")
        .hasMessageContaining("LLM4MSR_DATA");
  }

  @Test
  void filesThatAreNotWhatTheySayAreRefused() throws IOException {
    for (String extension : List.of("parquet", "jsonl", "csv", "csv.gz")) {
      byte[] junk =
          "PAR1\u0000\u0001{\"a\":\n\"unclosed \u00ff".getBytes(StandardCharsets.ISO_8859_1);
      Files.write(folder.resolve("log." + extension), junk);
      String yaml =
          "interactions: {path: log." + extension + ", user: u, item: i, scenario: s, label: y}\n";
      assertThatThrownBy(() -> load(yaml))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("log." + extension)
          .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
    }
  }

  @Test
  void aBadLineFarIntoTheFileIsNamed() throws IOException {
    String header = "user,item,place,clicked,hour,at,part\n";
    String line = "007,i1,web,1,9,2026-01-01,train\n";
    write("log.csv", header + line.repeat(100_000) + "007,i1\n" + line.repeat(100_000));
    assertThatThrownBy(() ->
            load(
                "interactions: {path: log.csv, user: user, item: item,"
                    + " scenario: place, label: clicked}\nscenarios: {web: Web}\n"))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("CSV Error on Line: 100002");
  }
}
