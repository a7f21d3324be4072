package org.llm4msr.model.prompt;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.TextTable;

/** Describes what one user liked in each scenario, by category and title, with counts. */
final class UserPrompts {
  private final TrainingHistory history;
  private final Dataset dataset;
  private final PrivacyGate gate;
  private final Templates templates;
  private final PromptOptions options;
  private final String about;

  UserPrompts(
      TrainingHistory history, PrivacyGate gate, Templates templates, PromptOptions options) {
    this.history = history;
    dataset = history.dataset();
    this.gate = gate;
    this.templates = templates;
    this.options = options;
    about = Redactor.plain(dataset.description());
  }

  /** How often a category was seen and liked. */
  private static final class Count {
    int seen;
    int liked;
  }

  /** A liked title. */
  private static final class Liked {
    final String title;
    int times;
    long lastTime = Dataset.NO_TIME;
    int users;

    Liked(String title) {
      this.title = title;
    }
  }

  /** What a user did in one scenario, the most telling things first. */
  private record Part(
      int scenario, int seen, int liked, List<String> categories, List<String> titles) {}

  /** The text for a user without the rows of one fold, with as much detail as fits. */
  String text(int user, Folds folds, int leftOut) {
    int[] rows =
        IntStream.of(history.rowsOf(user))
            .filter(row -> leftOut == Folds.ALL_ROWS || folds.of(dataset, row) != leftOut)
            .toArray();
    List<Part> parts = new ArrayList<>();
    for (int s = 0; s < dataset.scenarios().size(); s++) {
      int scenario = s;
      int[] ofScenario =
          IntStream.of(rows).filter(row -> dataset.scenario(row) == scenario).toArray();
      if (ofScenario.length > 0) {
        parts.add(part(s, ofScenario));
      }
    }
    String facts = templates.fillList("user.facts", gate.userFacts(user));
    int titles = options.titles();
    int categories = options.categories();
    String text = text(facts, parts, titles, categories);
    while (!gate.fits(text) && titles > 0) {
      text = text(facts, parts, --titles, categories);
    }
    while (!gate.fits(text) && categories > 0) {
      text = text(facts, parts, 0, --categories);
    }
    while (!gate.fits(text) && parts.size() > 1) {
      parts.remove(parts.stream().min(Comparator.comparingInt(Part::seen)).orElseThrow());
      text = text(facts, parts, 0, 0);
    }
    return text;
  }

  private Part part(int scenario, int[] rows) {
    TextTable text = dataset.itemText();
    Map<Integer, Count> counts = new HashMap<>();
    Map<String, Liked> titles = new LinkedHashMap<>();
    int likedRows = 0;
    for (int row : rows) {
      int item = dataset.item(row);
      int label = dataset.label(row);
      likedRows += label;
      for (int category : TrainingHistory.categories(text, item)) {
        Count count = counts.computeIfAbsent(category, c -> new Count());
        count.seen++;
        count.liked += label;
      }
      if (label == 1) {
        gate.title(item).ifPresent(t -> addLiked(titles, t, row));
      }
    }
    return new Part(scenario, rows.length, likedRows, categories(counts), titles(titles.values()));
  }

  private void addLiked(Map<String, Liked> titles, String title, int row) {
    Liked liked = titles.computeIfAbsent(title, Liked::new);
    liked.times++;
    liked.lastTime = Math.max(liked.lastTime, dataset.time(row));
    liked.users = Math.max(liked.users, gate.usersOf(dataset.item(row)));
  }

  /** The most liked first. */
  private List<String> categories(Map<Integer, Count> counts) {
    return counts.entrySet().stream()
        .filter(entry -> entry.getValue().liked > 0)
        .sorted(
            Comparator.comparingInt((Map.Entry<Integer, Count> e) -> -e.getValue().liked)
                .thenComparing(e -> e.getValue().seen)
                .thenComparing(Map.Entry::getKey))
        .flatMap(entry ->
            gate
                .category(entry.getKey())
                .map(name ->
                    templates.fill(
                        "user.category",
                        "name",
                        name,
                        "liked",
                        entry.getValue().liked,
                        "seen",
                        entry.getValue().seen))
                .stream())
        .limit(options.categories())
        .toList();
  }

  /** What was liked repeatedly first, then the latest, then what most people know. */
  private List<String> titles(Iterable<Liked> liked) {
    List<Liked> sorted = new ArrayList<>();
    liked.forEach(sorted::add);
    sorted.sort(
        Comparator.comparingInt((Liked l) -> -l.times)
            .thenComparing(l -> l.lastTime, Comparator.reverseOrder())
            .thenComparing(l -> -l.users)
            .thenComparing(l -> l.title));
    return sorted.stream()
        .limit(options.titles())
        .map(l ->
            l.times == 1
                ? templates.fill("user.title", "name", l.title)
                : templates.fill("user.title.repeated", "name", l.title, "count", l.times))
        .toList();
  }

  private String text(String facts, List<Part> parts, int titles, int categories) {
    List<String> lines = new ArrayList<>();
    for (Part part : parts) {
      lines.add(
          templates.fill(
              "user.line",
              "title",
              Redactor.plain(dataset.scenarios().get(part.scenario).title()),
              "liked",
              part.liked,
              "seen",
              part.seen,
              "categories",
              templates.fillList("user.categories", first(part.categories, categories)),
              "titles",
              templates.fillList("user.titles", first(part.titles, titles))));
    }
    return templates.fill(
        "user",
        "about",
        about,
        "facts",
        facts,
        "lines",
        lines.isEmpty() ? templates.fill("user.nothing") : String.join("\n", lines));
  }

  private static List<String> first(List<String> list, int count) {
    return list.subList(0, Math.min(count, list.size()));
  }
}
