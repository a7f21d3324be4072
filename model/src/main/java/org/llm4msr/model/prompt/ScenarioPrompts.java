package org.llm4msr.model.prompt;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.TextTable;

/**
 * Describes each scenario: all of them with their figures, what they share, how this one differs.
 */
final class ScenarioPrompts {
  /** A category this many times as frequent here as overall is worth a word; or its inverse. */
  private static final double NOTABLE = 1.15;

  /** Below this share a category is too rare to be missed. */
  private static final double COMMON = 0.02;

  private static final int[] DESCRIPTION_CHARS = {Integer.MAX_VALUE, 120, 80, 50, 30, 0};

  private final Dataset dataset;
  private final PrivacyGate gate;
  private final Templates templates;
  private final int mostCategories;
  private final int scenarios;
  private final int[] rows;
  private final int[] positives;
  private final int[] users;
  private final long[][] categoryRows;
  private final long[] categoryTotal;
  private int trainingUsers;
  private int usersInSeveral;

  ScenarioPrompts(
      TrainingHistory history, PrivacyGate gate, Templates templates, int mostCategories) {
    dataset = history.dataset();
    this.gate = gate;
    this.templates = templates;
    this.mostCategories = mostCategories;
    scenarios = dataset.scenarios().size();
    rows = new int[scenarios];
    positives = new int[scenarios];
    users = new int[scenarios];
    categoryRows = new long[scenarios][dataset.itemText().categories()];
    categoryTotal = new long[dataset.itemText().categories()];
    for (int user = 0; user < dataset.users(); user++) {
      countUser(history.rowsOf(user));
    }
  }

  private void countUser(int[] userRows) {
    boolean[] seen = new boolean[scenarios];
    TextTable text = dataset.itemText();
    for (int row : userRows) {
      int scenario = dataset.scenario(row);
      seen[scenario] = true;
      rows[scenario]++;
      positives[scenario] += dataset.label(row);
      for (int category : TrainingHistory.categories(text, dataset.item(row))) {
        categoryRows[scenario][category]++;
        categoryTotal[category]++;
      }
    }
    int count = 0;
    for (int s = 0; s < scenarios; s++) {
      users[s] += seen[s] ? 1 : 0;
      count += seen[s] ? 1 : 0;
    }
    trainingUsers += count > 0 ? 1 : 0;
    usersInSeveral += count > 1 ? 1 : 0;
  }

  /** The text for a scenario, with as much detail as fits. */
  String text(int scenario) {
    String text = "";
    for (int descriptionChars : DESCRIPTION_CHARS) {
      for (int categories = mostCategories; categories >= 0; categories--) {
        text = text(scenario, categories, descriptionChars);
        if (gate.fits(text)) {
          return text;
        }
      }
    }
    return text;
  }

  private String text(int scenario, int categories, int descriptionChars) {
    List<String> lines = new ArrayList<>();
    for (int s = 0; s < scenarios; s++) {
      lines.add(line(s, categories, descriptionChars));
    }
    String about = clip(dataset.description(), descriptionChars);
    String title = title(scenario);
    if (scenarios == 1) {
      return templates.fill(
          "scenario.alone", "about", about, "lines", lines.getFirst(), "title", title);
    }
    return templates.fill(
        "scenario",
        "about",
        about,
        "count",
        scenarios,
        "lines",
        String.join("\n", lines),
        "shared",
        shared(categories),
        "title",
        title,
        "differs",
        differs(scenario, categories));
  }

  private static String clip(String text, int chars) {
    return chars == 0 ? "" : PrivacyGate.cut(Redactor.plain(text), chars);
  }

  private String title(int scenario) {
    return Redactor.plain(dataset.scenarios().get(scenario).title());
  }

  private String line(int s, int categories, int descriptionChars) {
    Scenario scenario = dataset.scenarios().get(s);
    return templates.fill(
        "scenario.line",
        "title",
        title(s),
        "description",
        clip(scenario.description(), descriptionChars),
        "rows",
        grouped(rows[s]),
        "users",
        people(users[s]),
        "rate",
        percent(positives[s], rows[s]),
        "categories",
        templates.fillList("scenario.categories", mostSeen(s, categories)));
  }

  private static String grouped(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  private String people(int count) {
    return count > 0 && gate.isSmall(count)
        ? templates.fill("few", "limit", gate.minGroup())
        : grouped(count);
  }

  private static long percent(long part, long whole) {
    return Math.round(100.0 * part / whole);
  }

  private List<String> mostSeen(int scenario, int limit) {
    return named(
        IntStream.range(0, categoryTotal.length)
            .boxed()
            .filter(c -> categoryRows[scenario][c] > 0)
            .sorted(Comparator.comparingLong(c -> -categoryRows[scenario][c]))
            .toList(),
        limit);
  }

  private List<String> named(List<Integer> categories, int limit) {
    return categories.stream()
        .flatMap(category -> gate.category(category).stream())
        .limit(limit)
        .toList();
  }

  private String shared(int categories) {
    // The least of a category's shares over the scenarios says how frequent it is everywhere.
    List<Integer> everywhere =
        IntStream.range(0, categoryTotal.length)
            .boxed()
            .filter(c -> leastShare(c) > COMMON)
            .sorted(Comparator.comparingDouble(c -> -leastShare(c)))
            .toList();
    return templates.fill(
        "scenario.shared",
        "users",
        people(usersInSeveral),
        "all",
        people(trainingUsers),
        "categories",
        templates.fillList("scenario.shared.categories", named(everywhere, categories)));
  }

  private double leastShare(int category) {
    return IntStream.range(0, scenarios).mapToDouble(s -> share(s, category)).min().orElse(0);
  }

  private double share(int scenario, int category) {
    return (double) categoryRows[scenario][category] / rows[scenario];
  }

  private String differs(int scenario, int categories) {
    long allRows = IntStream.of(rows).sum();
    double[] lift = new double[categoryTotal.length];
    for (int c = 0; c < lift.length; c++) {
      // One division of whole numbers, so that equal lifts are equal.
      lift[c] =
          (double) (categoryRows[scenario][c] * allRows) / (rows[scenario] * categoryTotal[c]);
    }
    List<Integer> common =
        IntStream.range(0, lift.length)
            .boxed()
            .filter(c -> categoryTotal[c] > COMMON * allRows)
            .sorted(Comparator.comparingDouble(c -> -lift[c]))
            .toList();
    int limit = Math.min(categories, 3);
    List<Integer> more = common.stream().filter(c -> lift[c] > NOTABLE).toList();
    List<Integer> less = common.reversed().stream().filter(c -> lift[c] < 1 / NOTABLE).toList();
    return templates.fill(
        "scenario.differs",
        "rate",
        percent(positives[scenario], rows[scenario]),
        "overall",
        percent(IntStream.of(positives).sum(), allRows),
        "more",
        templates.fillList("scenario.more", named(more, limit)),
        "less",
        templates.fillList("scenario.less", named(less, limit)));
  }
}
