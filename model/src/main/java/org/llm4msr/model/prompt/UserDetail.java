package org.llm4msr.model.prompt;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.llm4msr.model.data.Dataset;

/**
 * Describes what one user liked in each scenario, by category and title, with counts ({@link
 * UserPromptStyle#DETAIL}).
 */
final class UserDetail {
  private final Dataset dataset;
  private final PrivacyGate gate;
  private final Templates templates;
  private final PromptOptions options;
  private final LikedTitles likedTitles;
  private final String about;

  UserDetail(
      TrainingHistory history, PrivacyGate gate, Templates templates, PromptOptions options) {
    dataset = history.dataset();
    this.gate = gate;
    this.templates = templates;
    this.options = options;
    likedTitles = new LikedTitles(dataset, gate, templates);
    about = Redactor.plain(dataset.description());
  }

  /** What a user did in one scenario, the most telling things first. */
  private record Part(
      int scenario, int seen, int liked, List<String> categories, List<String> titles) {}

  /** The text for a user after these rows, with as much detail as fits. */
  String text(int user, int[] rows) {
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
    CategoryCounts counts = new CategoryCounts(dataset, rows);
    return new Part(
        scenario,
        rows.length,
        counts.liked(),
        categories(counts),
        likedTitles.of(rows, options.titles()));
  }

  private List<String> categories(CategoryCounts counts) {
    return counts
        .mostLiked()
        .flatMap(count ->
            gate
                .category(count.category())
                .map(name ->
                    templates.fill(
                        "user.category",
                        "name",
                        name,
                        "liked",
                        count.liked(),
                        "seen",
                        count.seen()))
                .stream())
        .limit(options.categories())
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
