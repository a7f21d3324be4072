package org.llm4msr.model.prompt;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;

/**
 * One sentence about a user: how much she likes, and what above all ({@link
 * UserPromptStyle#TASTE}).
 */
final class UserTaste {
  /**
   * Rows by which a category's rate is drawn towards the user's own, and hers towards all users'.
   */
  private static final double PRIOR = 3;

  private final Dataset dataset;
  private final PrivacyGate gate;
  private final Templates templates;
  private final LikedTitles likedTitles;
  private final PromptOptions options;
  private final double positiveRate;

  UserTaste(TrainingHistory history, PrivacyGate gate, Templates templates, PromptOptions options) {
    dataset = history.dataset();
    this.gate = gate;
    this.templates = templates;
    this.options = options;
    likedTitles = new LikedTitles(dataset, gate, templates);
    long positive = 0;
    int[] rows = dataset.rowsOf(Split.TRAIN);
    for (int row : rows) {
      positive += dataset.label(row);
    }
    positiveRate = (positive + 1d) / (rows.length + 2d);
  }

  /** The sentence after these rows, with as many categories as fit. */
  String text(int user, int[] rows) {
    String facts = templates.fillList("taste.facts", gate.userFacts(user));
    if (rows.length == 0) {
      return templates.fill("taste.nothing", "facts", facts);
    }
    CategoryCounts counts = new CategoryCounts(dataset, rows);
    String verdict = templates.fill("taste." + verdict(counts));
    List<String> best = best(counts, rows);
    String text;
    int named = best.size();
    do {
      text =
          templates.fill(
              "taste",
              "facts",
              facts,
              "verdict",
              verdict,
              "best",
              templates.fillList("taste.best", best.subList(0, named)));
    } while (!gate.fits(text) && --named >= 0);
    return text;
  }

  /** Categories that stand out, or else the most liked; titles where items have no categories. */
  private List<String> best(CategoryCounts counts, int[] rows) {
    if (dataset.itemText().categories() == 0) {
      return likedTitles.of(rows, options.titles());
    }
    List<String> preferred = named(counts.preferred(PRIOR));
    return preferred.isEmpty() ? named(counts.mostLiked()) : preferred;
  }

  private List<String> named(Stream<CategoryCounts.Count> counts) {
    return counts
        .map(count -> gate.category(count.category()))
        .flatMap(Optional::stream)
        .limit(options.categories())
        .toList();
  }

  /** How the user's odds of liking stand to everyone's. */
  private String verdict(CategoryCounts counts) {
    double rate = (counts.liked() + PRIOR * positiveRate) / (counts.seen() + PRIOR);
    double ratio = rate / (1 - rate) * (1 - positiveRate) / positiveRate;
    if (ratio < 1 / 3d) {
      return "much.less";
    }
    if (ratio < 2 / 3d) {
      return "less";
    }
    if (ratio <= 3 / 2d) {
      return "as.much";
    }
    return ratio <= 3 ? "more" : "much.more";
  }
}
