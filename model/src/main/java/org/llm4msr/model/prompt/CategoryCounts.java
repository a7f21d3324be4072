package org.llm4msr.model.prompt;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.llm4msr.model.data.Dataset;

/** How often a user saw and liked items of each category. */
final class CategoryCounts {
  /** One category. */
  record Count(int category, int seen, int liked) {}

  private final List<Count> counts;
  private final int seen;
  private final int liked;

  CategoryCounts(Dataset dataset, int[] rows) {
    Map<Integer, int[]> seenAndLiked = new TreeMap<>();
    int positive = 0;
    for (int row : rows) {
      positive += dataset.label(row);
      for (int category : TrainingHistory.categories(dataset.itemText(), dataset.item(row))) {
        int[] count = seenAndLiked.computeIfAbsent(category, c -> new int[2]);
        count[0]++;
        count[1] += dataset.label(row);
      }
    }
    seen = rows.length;
    liked = positive;
    counts =
        seenAndLiked.entrySet().stream()
            .map(entry -> new Count(entry.getKey(), entry.getValue()[0], entry.getValue()[1]))
            .toList();
  }

  /** Rows in all. */
  int seen() {
    return seen;
  }

  /** Positive rows in all. */
  int liked() {
    return liked;
  }

  /** Positive share of all rows; NaN without rows. */
  double rate() {
    return (double) liked / seen;
  }

  List<Count> all() {
    return counts;
  }

  /** Categories that were liked, the most often liked first, of these the less often seen. */
  Stream<Count> mostLiked() {
    return counts.stream()
        .filter(count -> count.liked > 0)
        .sorted(Comparator.comparingInt((Count c) -> -c.liked).thenComparing(Count::seen));
  }

  /** Categories whose lift is above a share of the lifts' deviation, the highest first. */
  Stream<Count> preferred(LiftPrior prior, double share) {
    return counts.stream()
        .filter(count -> prior.lift(count, rate()) > share * prior.deviation())
        .sorted(Comparator.comparingDouble(count -> -prior.lift(count, rate())));
  }
}
