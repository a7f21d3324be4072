package org.llm4msr.model.prompt;

import java.util.Comparator;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.llm4msr.model.data.Dataset;

/** How often a user saw and liked items of each category. */
final class CategoryCounts {
  /** One category. */
  record Count(int category, int seen, int liked) {}

  private final Map<Integer, int[]> seenAndLiked = new TreeMap<>();
  private final int seen;
  private int liked;

  CategoryCounts(Dataset dataset, int[] rows) {
    seen = rows.length;
    for (int row : rows) {
      liked += dataset.label(row);
      for (int category : TrainingHistory.categories(dataset.itemText(), dataset.item(row))) {
        int[] count = seenAndLiked.computeIfAbsent(category, c -> new int[2]);
        count[0]++;
        count[1] += dataset.label(row);
      }
    }
  }

  /** Rows in all. */
  int seen() {
    return seen;
  }

  /** Positive rows in all. */
  int liked() {
    return liked;
  }

  /** Categories that were liked, the most often liked first, of these the less often seen. */
  Stream<Count> mostLiked() {
    return counts()
        .filter(count -> count.liked > 0)
        .sorted(Comparator.comparingInt((Count c) -> -c.liked).thenComparing(Count::seen));
  }

  /**
   * Categories that are liked more often than everything together, those most above it first. Each
   * rate is drawn towards the rate of everything by {@code prior} rows, so that a single row says
   * little.
   */
  Stream<Count> preferred(double prior) {
    double rate = (double) liked / seen;
    return counts()
        .filter(count -> count.liked > rate * count.seen)
        .sorted(
            Comparator.comparingDouble(
                count -> -(count.liked + prior * rate) / (count.seen + prior)));
  }

  private Stream<Count> counts() {
    return seenAndLiked.entrySet().stream()
        .map(entry -> new Count(entry.getKey(), entry.getValue()[0], entry.getValue()[1]));
  }
}
