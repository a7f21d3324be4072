package org.llm4msr.app.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.llm4msr.app.data.DataDescription.Bucketing;
import org.llm4msr.app.data.DataDescription.LabelRule;
import org.llm4msr.app.data.DataDescription.ListPooling;
import org.llm4msr.app.data.DataDescription.SplitSource;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.FieldOptions;
import org.llm4msr.model.data.Pooling;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.prompt.Language;
import org.llm4msr.model.prompt.PrivacyPolicy;
import org.llm4msr.model.prompt.PromptOptions;
import org.llm4msr.model.prompt.UserPromptStyle;
import org.llm4msr.runtime.UserError;

class DescriptionTest {
  private static final String LOG =
      """
      interactions:
        path: log.csv
        user: u
        item: i
        scenario: s
        label: y
      """;

  @TempDir Path folder;

  private DataDescription read(String yaml) throws IOException {
    Path file = Files.writeString(folder.resolve("shop.yaml"), yaml);
    return DataDescription.read(file, folder.resolve("data"));
  }

  @Test
  void theShortestDescriptionHasSensibleDefaults() throws IOException {
    DataDescription description = read(LOG);
    assertThat(description.name()).isEqualTo("shop");
    assertThat(description.interactions().table().path())
        .isEqualTo(folder.resolve("data").resolve("log.csv"));
    assertThat(description.interactions().label()).isEqualTo(new LabelRule.Binary("y"));
    assertThat(description.features()).extracting("name").containsExactly("user", "item");
    assertThat(description.split())
        .isEqualTo(new SplitSource.Rule(new SplitRule.Random(new SplitRule.Ratios(8, 1, 1), 0)));
    assertThat(description.prompts()).isEqualTo(PromptOptions.DEFAULT);
  }

  @Test
  void everyKeyIsUnderstood() throws IOException {
    DataDescription description =
        read(
            """
            name: company
            description: {en: A shop., ja: 店。}
            interactions:
              path: /elsewhere/log.tsv.gz
              format: csv
              delimiter: ";"
              user: u
              item: i
              scenario: s
              label: {column: stars, at_least: 4}
              time: when
              logit: score
            items: {path: i.parquet, key: id, title: {en: t, ja: tj}, categories: [a, b], separator: "|"}
            users: {path: u.jsonl, key: id, categories: {ja: [x]}}
            scenarios:
              0: Shop
              "1": {name: store, title: {ja: 店}, description: On the high street.}
            features:
              - item
              - {name: user, min_count: 3}
              - {name: hour}
              - {name: price, from: items, column: price_yen, buckets: {quantiles: 10}}
              - {name: size, from: items, buckets: log, min_count: 2}
              - {name: sex, from: users, separator: ",", labels: {F: female}}
              - {name: age, from: users, type: number, dim: 8}
              - {name: place, type: category, hash: 5000, dim: 4}
              - {name: last, column: last_item, share: item}
              - {name: tags, from: items, separator: ";", pooling: mean, max: 5}
              - {name: seen, share: item, pooling: sum}
            split: {cold_users: {train: 6, valid: 2, test: 2, seed: 42}}
            prompts:
              language: ja
              style: detail
              max_chars: 1200
              titles: 3
              categories: 4
              fields: [item.title, user.sex]
              min_group: 10
              redact: [email, card]
              terms: [Alice, Bob]
            """);
    assertThat(description.interactions().table())
        .isEqualTo(new Table(Path.of("/elsewhere/log.tsv.gz"), Table.Format.CSV, ';'));
    assertThat(description.interactions().label())
        .isEqualTo(new LabelRule.Threshold("stars", 4, true));
    assertThat(description.interactions().time()).contains("when");
    assertThat(description.interactions().logit()).contains("score");
    assertThat(description.items().orElseThrow().table().format()).isEqualTo(Table.Format.PARQUET);
    assertThat(description.items().orElseThrow().title().orElseThrow().in(Language.JA))
        .isEqualTo("tj");
    assertThat(description.users().orElseThrow().table().format()).isEqualTo(Table.Format.JSONL);
    assertThat(description.users().orElseThrow().categories().orElseThrow().in(Language.EN))
        .containsExactly("x");
    assertThat(description.scenarios()).containsOnlyKeys("0", "1");
    assertThat(description.scenarios().get("1").name()).isEqualTo("store");
    assertThat(description.scenarios().get("1").title().in(Language.JA)).isEqualTo("店");
    assertThat(description.features())
        .extracting("name")
        .containsExactly(
            "item", "user", "hour", "price", "size", "sex", "age", "place", "last", "tags", "seen");
    assertThat(description.features())
        .extracting("owner")
        .containsExactly(
            Field.Owner.ITEM,
            Field.Owner.USER,
            Field.Owner.ROW,
            Field.Owner.ITEM,
            Field.Owner.ITEM,
            Field.Owner.USER,
            Field.Owner.USER,
            Field.Owner.ROW,
            Field.Owner.ROW,
            Field.Owner.ITEM,
            Field.Owner.ROW);
    assertThat(description.features().get(3).buckets()).contains(new Bucketing.Quantiles(10));
    assertThat(description.features().get(4).buckets()).contains(new Bucketing.Log());
    assertThat(description.features())
        .extracting("options")
        .containsExactly(
            FieldOptions.DEFAULT,
            FieldOptions.ofMinCount(3),
            FieldOptions.DEFAULT,
            FieldOptions.DEFAULT,
            FieldOptions.ofMinCount(2),
            FieldOptions.DEFAULT,
            new FieldOptions(1, 0, 8, ""),
            new FieldOptions(1, 5000, 4, ""),
            new FieldOptions(1, 0, 0, "item"),
            FieldOptions.DEFAULT,
            new FieldOptions(1, 0, 0, "item"));
    assertThat(description.features().get(9).pooling()).contains(new ListPooling(Pooling.MEAN, 5));
    assertThat(description.features().get(10).pooling()).contains(new ListPooling(Pooling.SUM, 20));
    assertThat(description.features().get(6).number()).isTrue();
    assertThat(description.features().get(7).number()).isFalse();
    assertThat(description.split())
        .isEqualTo(
            new SplitSource.Rule(new SplitRule.ColdUsers(new SplitRule.Ratios(6, 2, 2), 42)));
    assertThat(description.prompts())
        .isEqualTo(
            new PromptOptions(
                Language.JA,
                UserPromptStyle.DETAIL,
                1200,
                3,
                4,
                new PrivacyPolicy(
                    List.of("item.title", "user.sex"),
                    10,
                    Set.of(PrivacyPolicy.Pattern.EMAIL, PrivacyPolicy.Pattern.CARD),
                    List.of("Alice", "Bob"))));
  }

  static Stream<Arguments> mistakes() {
    return Stream.of(
        Arguments.of(
            "interaction: x\n",
            "shop.yaml:1: unknown key 'interaction'; did you mean" + " interactions?"),
        Arguments.of(
            LOG + "  lable: z\n",
            "shop.yaml:7: unknown key 'lable' in interactions; did" + " you mean label?"),
        Arguments.of(LOG + "  zzz: 1\n", "unknown key 'zzz' in interactions; known: path, format"),
        Arguments.of("name: a\n", "shop.yaml:1: key 'interactions' is missing"),
        Arguments.of(LOG + "name: a\nname: b\n", "shop.yaml:8: key 'name' is there twice"),
        Arguments.of("", "is empty"),
        Arguments.of("a: b: c\n", "shop.yaml:1: is not YAML"),
        Arguments.of("just text\n", "expected a map"),
        Arguments.of(LOG + "---\nname: x\n", "one document is enough"),
        Arguments.of(LOG + "name:\n", "name has no value"),
        Arguments.of(LOG + "name: [a]\n", "name: expected one value, found a list"),
        Arguments.of(LOG.replace("log.csv", "log.xls"), "cannot tell the format of log.xls"),
        Arguments.of(LOG.replace("label: y", "label: {column: y}"), "either above or at_least"),
        Arguments.of(
            LOG.replace("label: y", "label: {column: y, above: x}"),
            "shop.yaml:6:" + " interactions.label.above: expected a number, found x"),
        Arguments.of(
            LOG + "  logit: y\n", "shop.yaml:7: interactions.logit: column y gives the label away"),
        Arguments.of(
            LOG + "scenarios:\n  a: Shop\n  b: overall\n",
            "shop.yaml:9: scenarios.b: results call another part of the rows 'overall'; give the"
                + " scenario another name"),
        Arguments.of(
            LOG + "scenarios: {a: {name: users_under_20_train_rows}}\n",
            "scenarios.a: results call another part of the rows 'users_under_20_train_rows'"),
        Arguments.of(LOG + "scenarios: {cold_users: {title: New}}\n", "the rows 'cold_users'"),
        Arguments.of(LOG + "scenarios: {a: cold_items}\n", "the rows 'cold_items'"),
        Arguments.of(LOG + "scenarios: {a: sparsest_scenario}\n", "the rows 'sparsest_scenario'"),
        Arguments.of(LOG + "features: [usr]\n", "expected user, item, or a map"),
        Arguments.of(LOG + "features: []\n", "at least one feature"),
        Arguments.of(LOG + "features: [user, user]\n", "'user' is taken already"),
        Arguments.of(LOG + "features: [{name: a, from: items}]\n", "does not have"),
        Arguments.of(
            LOG + "features: [{name: a, from: shelf}]\n",
            "expected interactions, items, users or history, found shelf"),
        Arguments.of(LOG + "features: [{name: z, column: y}]\n", "column y gives the label away"),
        Arguments.of(LOG + "features: [{name: a, min_count: 0}]\n", "from 1 to"),
        Arguments.of(LOG + "features: [{name: a, buckets: logs}]\n", "expected log or"),
        Arguments.of(
            LOG + "features: [{name: a, type: float}]\n",
            "shop.yaml:7: features[1].type: expected category or number, found float"),
        Arguments.of(
            LOG + "features:\n  - {name: a, type: number, buckets: log}\n",
            "shop.yaml:8: features[1].buckets: does not go together with type: number"),
        Arguments.of(
            LOG + "features: [{name: a, hash: 9, min_count: 2}]\n",
            "min_count: does not go together with hash"),
        Arguments.of(
            LOG + "features: [item, {name: a, share: item, dim: 2}]\n",
            "dim: does not go together with share"),
        Arguments.of(
            LOG + "features: [{name: a, share: item}, item]\n",
            "share: expected an earlier feature that has a table of its own and is no number,"
                + " found item"),
        Arguments.of(
            LOG + "features: [item, {name: a, share: item}, {name: b, share: a}]\n",
            "found a; there are item"),
        Arguments.of(LOG + "features: [{name: a, type: number}, {name: b, share: a}]\n", "found a"),
        Arguments.of(
            LOG + "features: [{name: a, max: 3}]\n",
            "max: expected pooling: mean, sum or attention beside it"),
        Arguments.of(
            LOG + "features: [{name: a, pooling: avg}]\n",
            "pooling: 'avg' is unknown; known: mean, sum, attention"),
        Arguments.of(
            LOG + "features: [{name: a, pooling: mean, buckets: log}]\n",
            "buckets: does not go together with pooling"),
        Arguments.of(
            LOG + "features: [item, {name: a, from: history, pooling: mean}]\n",
            "shop.yaml:7: features[2].from: a history needs to know what came before a row; name the"
                + " log's column of times as interactions.time"),
        Arguments.of(
            LOG + "  time: t\nfeatures: [{name: a, from: history, pooling: mean}, item]\n",
            "shop.yaml:8: features[1].from: a history shares the embeddings of the feature item, which"
                + " must come before it"),
        Arguments.of(
            LOG + "  time: t\nfeatures: [item, {name: a, from: history}]\n",
            "features[2]: key 'pooling' is missing"),
        Arguments.of(
            LOG
                + "  time: t\nfeatures: [item, {name: a, from: history, pooling: sum, column: x}]\n",
            "unknown key 'column' in features[2]"),
        Arguments.of(LOG + "features: [{name: a, hash: 0}]\n", "from 1 to"),
        Arguments.of(LOG + "features: [{name: a, dim: wide}]\n", "from 1 to 4096, found wide"),
        Arguments.of(LOG + "features: [{name: user, share: item}]\n", "unknown key 'share'"),
        Arguments.of(LOG + "split: {random: {train: 8, valid: 1}}\n", "key 'test' is missing"),
        Arguments.of(
            LOG + "split: {random: {train: 0, valid: 1, test: 1}}\n",
            "shop.yaml:7: split.random:" + " split ratios"),
        Arguments.of(
            LOG + "split: {time: {train: 8, valid: 1, test: 1, seed: 1}}\n", "unknown key 'seed'"),
        Arguments.of(LOG + "split: {}\n", "expected one of column, random"),
        Arguments.of(LOG + "scenarios: {}\n", "at least one scenario"),
        Arguments.of(LOG + "scenarios: {0: a, 1: a}\n", "'a' is taken already"),
        Arguments.of(LOG + "prompts: {language: english}\n", "'english' is unknown; known: en, ja"),
        Arguments.of(LOG + "prompts: {fields: [item.titel]}\n", "did you mean item.title?"),
        Arguments.of(LOG + "prompts: {max_chars: 10}\n", "from 200 to"),
        Arguments.of(LOG + "prompts: {redact: [emails]}\n", "did you mean email?"),
        Arguments.of(LOG + "a: &x 1\nb: *x\n", "aliases are not supported"));
  }

  @ParameterizedTest
  @MethodSource("mistakes")
  void aMistakeIsOneLineThatNamesThePlace(String yaml, String message) {
    assertThatThrownBy(() -> read(yaml))
        .isInstanceOf(UserError.class)
        .hasMessageContaining(message)
        .hasMessageContaining("shop.yaml")
        .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
  }

  @Test
  void aMissingDescriptionIsNamed() {
    assertThatThrownBy(() -> DataDescription.read(folder.resolve("none.yaml")))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("none.yaml: no such file");
  }

  @Test
  void theShippedDescriptionsAreValid() {
    Path datasets = Path.of("../docs/datasets");
    assertThat(List.of("anime", "ml-1m", "ml-100k"))
        .allSatisfy(name ->
            assertThat(DataDescription.read(datasets.resolve(name + ".yaml")).name())
                .isEqualTo(name));
  }

  @Test
  void theExamplesInTheDocumentationAreValid() throws IOException {
    String text = Files.readString(Path.of("../docs/datasets.md"));
    int read = 0;
    for (String block : text.split("```yaml\n")) {
      if (block.startsWith("interactions:") || block.startsWith("name:")) {
        read(block.substring(0, block.indexOf("```")));
        read++;
      }
    }
    assertThat(read).isEqualTo(4);
  }
}
