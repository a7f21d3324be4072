package org.llm4msr.model.prompt;

import java.util.List;
import java.util.Optional;
import org.llm4msr.model.data.Dataset;

/**
 * One sentence that names the categories that a user likes more often than the rest of what she met
 * ({@link UserPromptStyle#TASTE}). How often she likes anything is not told: a recommender that
 * knows the user counts that itself, over all rows, and could read a row's label from the
 * difference to a count without it.
 */
final class UserTaste {
  /** A category is named if its lift is above this share of the lifts' deviation. */
  private static final double NAMED = 0.25;

  private final Dataset dataset;
  private final PrivacyGate gate;
  private final Templates templates;
  private final LikedTitles likedTitles;
  private final PromptOptions options;
  private final LiftPrior prior;

  UserTaste(TrainingHistory history, PrivacyGate gate, Templates templates, PromptOptions options) {
    dataset = history.dataset();
    this.gate = gate;
    this.templates = templates;
    this.options = options;
    likedTitles = new LikedTitles(dataset, gate, templates);
    prior = LiftPrior.of(history);
  }

  /** The sentence after these rows, with as many categories as fit. */
  String text(int user, int[] rows) {
    String facts = templates.fillList("taste.facts", gate.userFacts(user));
    if (rows.length == 0) {
      return templates.fill("taste.nothing", "facts", facts);
    }
    List<String> best = best(rows);
    for (int named = best.size(); named > 0; named--) {
      String list = templates.join(best.subList(0, named));
      String text = templates.fill("taste", "facts", facts, "best", list);
      if (gate.fits(text)) {
        return text;
      }
    }
    return templates.fill("taste.even", "facts", facts);
  }

  /** Categories that stand out; titles where items have no categories. */
  private List<String> best(int[] rows) {
    if (dataset.itemText().categories() == 0) {
      return likedTitles.of(rows, options.titles());
    }
    return new CategoryCounts(dataset, rows)
        .preferred(prior, NAMED)
        .map(count -> gate.category(count.category()))
        .flatMap(Optional::stream)
        .limit(options.categories())
        .toList();
  }
}
