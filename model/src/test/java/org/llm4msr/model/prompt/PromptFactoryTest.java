package org.llm4msr.model.prompt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.model.data.CodedColumn;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.prompt.Audit.Finding;

class PromptFactoryTest {
  private static final int USERS = 40;
  private static final int ITEMS = 30;
  private static final List<String> KINDS = List.of("Food", "Books", "Toys");

  private static PromptOptions options(int minGroup, String... fields) {
    return new PromptOptions(
        Language.EN,
        UserPromptStyle.DETAIL,
        900,
        12,
        6,
        new PrivacyPolicy(
            List.of(fields), minGroup, EnumSet.allOf(PrivacyPolicy.Pattern.class), List.of()));
  }

  private static PromptOptions options(int minGroup) {
    return options(minGroup, PrivacyPolicy.ITEM_TITLE, PrivacyPolicy.ITEM_CATEGORIES);
  }

  private static String userKey(int user) {
    return "USR-7f3a9%02x".formatted(user);
  }

  private static String itemKey(int item) {
    return "SKU%05d-X".formatted(item);
  }

  /** Users meet every item in every scenario once; every tenth row is for validation. */
  private static DatasetBuilder log() {
    DatasetBuilder builder =
        new DatasetBuilder(
            "shop",
            "A shop in town.",
            List.of(
                new Scenario("web", "Web shop", "Pages in the browser."),
                new Scenario("store", "Store", "Shelves on the high street.")));
    for (int item = 0; item < ITEMS; item++) {
      int index = builder.item(itemKey(item));
      builder.itemText(index, "Thing " + (char) ('A' + item), List.of(KINDS.get(item % 3)));
    }
    int row = 0;
    for (int user = 0; user < USERS; user++) {
      for (int item = 0; item < ITEMS; item++) {
        int scenario = item % 2;
        int label = (user + item) % 3 == 0 ? 1 : 0;
        Split split = ++row % 10 == 0 ? Split.VALID : Split.TRAIN;
        builder.row(
            builder.user(userKey(user)), builder.item(itemKey(item)), scenario, label, split, row);
      }
    }
    return builder;
  }

  private static Map<String, String> prompts(Dataset dataset, PromptOptions options) {
    return prompts(new PromptFactory(dataset, Folds.NONE, options));
  }

  private static Map<String, String> prompts(PromptFactory factory) {
    Map<String, String> texts = new LinkedHashMap<>();
    factory.forEach(prompt -> texts.put(prompt.id(), prompt.text()));
    assertThat(texts).hasSize(factory.count());
    assertThat(factory.audit().prompts()).isEqualTo(factory.count());
    return texts;
  }

  @Test
  void tasteNamesWhatIsLikedMoreOftenThanTheRest() {
    DatasetBuilder builder = new DatasetBuilder("t", "", List.of(new Scenario("web")));
    for (String kind : List.of("Food", "Books", "Toys", "Tools")) {
      builder.itemText(builder.item(kind), kind, List.of(kind));
    }
    // Ann likes 24 of 40 in all: 9 of 10, 8 of 10, 5 of 10, 2 of 10. Bob likes 5 of 10 everywhere.
    int[] liked = {9, 8, 5, 2};
    for (int item = 0; item < 4; item++) {
      for (int row = 0; row < 10; row++) {
        int label = row < liked[item] ? 1 : 0;
        builder.row(builder.user("ann"), item, 0, label, Split.TRAIN, row);
        builder.row(builder.user("bob"), item, 0, row < 5 ? 1 : 0, Split.TRAIN, row);
      }
    }
    builder.row(builder.user("cid"), 0, 0, 1, Split.TEST, 0);
    builder.row(builder.user("dan"), 0, 0, 1, Split.TRAIN, 0);
    Map<String, String> texts =
        prompts(builder.build(), options(1).withStyle(UserPromptStyle.TASTE));
    assertThat(texts.get("user/ann")).isEqualTo("A person who likes above all Food, Books.");
    assertThat(texts.get("user/bob")).isEqualTo("A person without a particular taste.");
    assertThat(texts.get("user/cid")).isEqualTo("A person of whom nothing is known yet.");
    // One row says nothing about what he prefers.
    assertThat(texts.get("user/dan")).isEqualTo("A person without a particular taste.");
  }

  @Test
  void aLiftIsDrawnToZeroAsFarAsChanceExplainsIt() {
    // Users whose true lifts are +0.2 and -0.2 around a rate of 1/2, with enough rows to tell.
    DatasetBuilder builder = new DatasetBuilder("t", "", List.of(new Scenario("web")));
    builder.itemText(builder.item("a"), "a", List.of("A"));
    builder.itemText(builder.item("b"), "b", List.of("B"));
    SplittableRandom random = new SplittableRandom(7);
    for (int user = 0; user < 200; user++) {
      for (int row = 0; row < 200; row++) {
        boolean likes = random.nextDouble() < (row % 2 == user % 2 ? 0.7 : 0.3);
        builder.row(builder.user("u" + user), row % 2, 0, likes ? 1 : 0, Split.TRAIN, row);
      }
    }
    LiftPrior prior = LiftPrior.of(new TrainingHistory(builder.build()));
    assertThat(prior.deviation()).isCloseTo(0.2, within(0.01));
    // 0.25 is the variance of one row at a rate of 1/2, 0.04 that of the lifts.
    assertThat(prior.rows()).isCloseTo(0.25 / 0.04, within(0.6));
    assertThat(prior.lift(new CategoryCounts.Count(0, 10, 8), 0.5))
        .isEqualTo(3 / (10 + prior.rows()));
  }

  @Test
  void noLiftIsBelievedWhereChanceExplainsAll() {
    DatasetBuilder builder = new DatasetBuilder("t", "", List.of(new Scenario("web")));
    builder.itemText(builder.item("a"), "a", List.of("A"));
    builder.itemText(builder.item("b"), "b", List.of("B"));
    for (int row = 0; row < 100; row++) {
      builder.row(builder.user("u"), row % 2, 0, row % 4 / 2, Split.TRAIN, row);
    }
    LiftPrior prior = LiftPrior.of(new TrainingHistory(builder.build()));
    assertThat(prior).isEqualTo(new LiftPrior(Double.POSITIVE_INFINITY, 0));
    assertThat(prior.lift(new CategoryCounts.Count(0, 10, 8), 0.5)).isZero();
  }

  @Test
  void tasteNamesTitlesWhereItemsHaveNoCategories() {
    DatasetBuilder builder = new DatasetBuilder("t", "", List.of(new Scenario("web")));
    builder.itemText(builder.item("a"), "Tea", List.of());
    builder.itemText(builder.item("b"), "Novel", List.of());
    builder.row(builder.user("u"), builder.item("a"), 0, 1, Split.TRAIN, 1);
    builder.row(builder.user("u"), builder.item("b"), 0, 0, Split.TRAIN, 2);
    assertThat(prompts(builder.build(), options(1).withStyle(UserPromptStyle.TASTE)).get("user/u"))
        .isEqualTo("A person who likes above all \"Tea\".");
  }

  @Test
  void detailCountsWhatTheTrainingRowsSay() {
    DatasetBuilder builder =
        new DatasetBuilder(
            "tiny", "A shop.", List.of(new Scenario("web", "Web", ""), new Scenario("tv")));
    int tea = builder.item("t");
    int book = builder.item("b");
    int robot = builder.item("r");
    builder.itemText(tea, "Tea", List.of("Food", "Drink"));
    builder.itemText(book, "Novel", List.of("Books"));
    builder.itemText(robot, "Robot", List.of("Toys"));
    int ann = builder.user("ann");
    int bob = builder.user("bob");
    builder.row(ann, tea, 0, 1, Split.TRAIN, 1);
    builder.row(ann, tea, 0, 1, Split.TRAIN, 2);
    builder.row(ann, tea, 0, 0, Split.TRAIN, 3);
    builder.row(ann, book, 0, 1, Split.TRAIN, 4);
    builder.row(ann, robot, 0, 0, Split.TRAIN, 5);
    builder.row(bob, book, 1, 0, Split.TRAIN, 6);
    builder.row(ann, robot, 1, 1, Split.TEST, 7);
    builder.user("cid");
    Map<String, String> texts = prompts(builder.build(), options(1));
    assertThat(texts)
        .containsOnlyKeys("scenario/web", "scenario/tv", "user/ann", "user/bob", "user/cid");
    assertThat(texts.get("user/ann"))
        .isEqualTo(
            """
            What one person likes, scenario by scenario. A shop.
            Web: liked 3 of 5. Liked of seen: Food 2/3, Drink 2/3, Books 1/1. Such as "Tea" (2 times), "Novel".
            In short, this person likes\
            """);
    assertThat(texts.get("user/bob"))
        .isEqualTo(
            """
            What one person likes, scenario by scenario. A shop.
            tv: liked 0 of 1.
            In short, this person likes\
            """);
    assertThat(texts.get("user/cid")).contains("Nothing is known yet");
    assertThat(texts.get("scenario/web"))
        .isEqualTo(
            """
            A shop. People meet items in 2 scenarios.
            Web: 5 rows, 1 users, 60 % liked. Most seen: Food, Drink, Books, Toys.
            tv: 1 rows, 1 users, 0 % liked. Most seen: Books.
            Shared: 0 of 2 users are in several scenarios. Frequent in all: Books.
            This one is: Web. 60 % liked against 50 % overall. More Food, Drink, Toys. Less Books.
            In short, people in Web like\
            """);
  }

  @ParameterizedTest
  @CsvSource({"EN,DETAIL", "JA,DETAIL", "EN,TASTE", "JA,TASTE"})
  void noIdentifierAndNothingPrivateIsInAnyText(Language language, UserPromptStyle style) {
    DatasetBuilder builder = log();
    String[] leaks = {
      "Mug for ann@example.com",
      "Case, call 090-1234-5678",
      "Desk 4111 1111 1111 1111",
      "Lamp of " + userKey(3),
      "Chair " + itemKey(7) + " blue",
      "Gift for Yamada Hanako",
      "Order 1234567890",
      "See https://example.com/session/abc",
      "Pen 550e8400-e29b-41d4-a716-446655440000",
    };
    for (int i = 0; i < leaks.length; i++) {
      builder.itemText(builder.item(itemKey(i)), leaks[i], List.of("Food", userKey(5)));
    }
    Dataset dataset = builder.build();
    PromptOptions options =
        new PromptOptions(
            language,
            style,
            5_000,
            100,
            6,
            new PrivacyPolicy(
                PrivacyPolicy.DEFAULT.fields(),
                5,
                EnumSet.allOf(PrivacyPolicy.Pattern.class),
                List.of("Yamada Hanako")));
    PromptFactory factory = new PromptFactory(dataset, Folds.NONE, options);
    Map<String, String> texts = prompts(factory);
    texts.forEach((id, text) -> {
      String lower = text.toLowerCase(Locale.ROOT);
      for (int user = 0; user < USERS; user++) {
        assertThat(lower).doesNotContain(userKey(user).toLowerCase(Locale.ROOT));
      }
      for (int item = 0; item < ITEMS; item++) {
        assertThat(lower).doesNotContain(itemKey(item).toLowerCase(Locale.ROOT));
      }
      assertThat(lower)
          .doesNotContain("7f3a9", "sku", "example.com", "1234", "1111", "yamada", "550e8400");
    });
    if (style == UserPromptStyle.TASTE) { // names categories alone, so titles are never asked for
      assertThat(factory.audit().count(Finding.IDENTIFIER)).isPositive();
      return;
    }
    assertThat(texts.get("user/" + userKey(0))).contains("[email]");
    for (Finding finding :
        List.of(
            Finding.EMAIL,
            Finding.PHONE,
            Finding.CARD,
            Finding.IDENTIFIER,
            Finding.TERM,
            Finding.NUMBER,
            Finding.LINK,
            Finding.TOKEN)) {
      assertThat(factory.audit().count(finding)).as(finding.code()).isPositive();
    }
  }

  @Test
  void onlyTrainingRowsAreUsed() {
    DatasetBuilder builder = log();
    int planted = builder.item("planted");
    builder.itemText(planted, "Planted title", List.of("Planted kind"));
    for (int user = 0; user < USERS; user++) {
      Split part = user % 2 == 0 ? Split.VALID : Split.TEST;
      builder.row(builder.user(userKey(user)), planted, 0, 1, part, 0);
    }
    int newcomer = builder.user("newcomer");
    builder.row(newcomer, builder.item(itemKey(1)), 0, 1, Split.TEST, 0);
    Map<String, String> texts = prompts(builder.build(), options(1));
    assertThat(texts.values()).noneMatch(text -> text.contains("Planted"));
    assertThat(texts.get("user/newcomer")).contains("Nothing is known yet");
  }

  @Test
  void whatTooFewUsersShareIsLeftOut() {
    DatasetBuilder builder = log();
    int rare = builder.item("rare");
    builder.itemText(rare, "Rare title", List.of("Food", "Rare kind"));
    for (int user = 0; user < 4; user++) {
      builder.row(builder.user(userKey(user)), rare, 0, 1, Split.TRAIN, 1_000_000);
    }
    Dataset dataset = builder.build();
    assertThat(prompts(dataset, options(4)).values()).anyMatch(t -> t.contains("Rare title"));
    PromptFactory factory = new PromptFactory(dataset, Folds.NONE, options(5));
    assertThat(prompts(factory).values()).noneMatch(t -> t.contains("Rare"));
    assertThat(factory.audit().count(Finding.TITLE_OF_SMALL_GROUP)).isEqualTo(1);
    assertThat(factory.audit().count(Finding.CATEGORY_OF_SMALL_GROUP)).isEqualTo(1);
  }

  @Test
  void factsAboutUsersNeedPermissionAndCompany() {
    DatasetBuilder builder = log();
    CodedColumn sex = new CodedColumn();
    CodedColumn job = new CodedColumn();
    for (int user = 0; user < USERS; user++) {
      sex.set(builder.user(userKey(user)), user % 2 == 0 ? "female" : "male");
      job.set(user, user == 6 ? "astronaut" : user % 4 < 2 ? "writer" : "nurse");
      builder.userText(user, user == 8 ? "Only one" : "Regular", List.of("Golf"));
    }
    builder.field("sex", Field.Owner.USER, sex, 1);
    builder.field("job", Field.Owner.USER, job, 1);
    Dataset dataset = builder.build();
    assertThat(prompts(dataset, options(5)).values()).noneMatch(t -> t.contains("The person:"));
    Map<String, String> texts =
        prompts(dataset, options(5, "user.sex", "user.job", "user.title", "user.categories"));
    assertThat(texts.get("user/" + userKey(0))).contains("female, writer, Regular, Golf.");
    assertThat(texts.get("user/" + userKey(6))).contains("female, Regular, Golf.");
    assertThat(texts.get("user/" + userKey(8))).contains("female, writer, Golf.");
    assertThat(texts.values()).noneMatch(t -> t.contains("Thing") || t.contains("Books"));
  }

  @ParameterizedTest
  @ValueSource(ints = {200, 250, 300, 500, 900, 5000})
  void theBudgetIsKept(int maxChars) {
    PromptOptions options =
        new PromptOptions(
            Language.EN, UserPromptStyle.DETAIL, maxChars, 100, 100, PrivacyPolicy.DEFAULT);
    PromptFactory factory = new PromptFactory(log().build(), Folds.NONE, options);
    Map<String, String> texts = prompts(factory);
    assertThat(texts.values()).allMatch(text -> text.length() <= maxChars);
    // Detail is dropped before the cue at the end.
    assertThat(texts.get("user/" + userKey(1))).endsWith("In short, this person likes");
    if (maxChars >= 300) {
      assertThat(texts.get("scenario/web")).endsWith("In short, people in Web shop like");
      assertThat(factory.audit().count(Finding.SHORTENED)).isZero();
    }
  }

  @Test
  void aPromptWithoutAFoldKnowsNothingOfItsRows() {
    Dataset dataset = log().build();
    Folds folds = new Folds(3);
    PromptOptions options = options(1).withMaxChars(5_000);
    Map<String, String> texts = prompts(new PromptFactory(dataset, folds, options));
    assertThat(texts).hasSize(2 + USERS * 4);
    for (int row = 0; row < dataset.rows(); row++) {
      if (dataset.split(row) != Split.TRAIN || dataset.label(row) == 0) {
        continue;
      }
      String title = '"' + dataset.itemText().title(dataset.item(row)) + '"';
      String user = "user/" + dataset.userKey(dataset.user(row));
      assertThat(texts.get(user)).contains(title);
      for (int fold = 1; fold <= 3; fold++) {
        boolean leftOut = fold == folds.of(dataset, row);
        assertThat(texts.get(user + "#fold" + fold).contains(title)).isEqualTo(!leftOut);
      }
    }
  }

  @Test
  void anItemThatIsKnownByItsTitleKeepsIt() {
    DatasetBuilder builder = log();
    int film = builder.item("Heat (1995)");
    builder.itemText(film, "Heat (1995)", List.of("Food"));
    for (int user = 0; user < 10; user++) {
      builder.row(builder.user(userKey(user)), film, 0, 1, Split.TRAIN, 1_000_000);
    }
    assertThat(prompts(builder.build(), options(5)).get("user/" + userKey(0)))
        .contains("\"Heat (1995)\"");
  }
}
