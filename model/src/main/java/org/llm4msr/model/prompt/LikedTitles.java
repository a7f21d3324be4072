package org.llm4msr.model.prompt;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.model.data.Dataset;

/** The titles that a user liked, the most telling first. */
final class LikedTitles {
  private final PrivacyGate gate;
  private final Dataset dataset;
  private final Templates templates;

  LikedTitles(Dataset dataset, PrivacyGate gate, Templates templates) {
    this.dataset = dataset;
    this.gate = gate;
    this.templates = templates;
  }

  private static final class Liked {
    final String title;
    int times;
    long lastTime = Dataset.NO_TIME;
    int users;

    Liked(String title) {
      this.title = title;
    }
  }

  /** What was liked repeatedly in these rows first, then the latest, then what most people know. */
  List<String> of(int[] rows, int most) {
    Map<String, Liked> titles = new LinkedHashMap<>();
    for (int row : rows) {
      if (dataset.label(row) == 1) {
        gate.title(dataset.item(row)).ifPresent(title -> add(titles, title, row));
      }
    }
    return titles.values().stream()
        .sorted(
            Comparator.comparingInt((Liked l) -> -l.times)
                .thenComparing(l -> l.lastTime, Comparator.reverseOrder())
                .thenComparing(l -> -l.users)
                .thenComparing(l -> l.title))
        .limit(most)
        .map(l ->
            l.times == 1
                ? templates.fill("user.title", "name", l.title)
                : templates.fill("user.title.repeated", "name", l.title, "count", l.times))
        .toList();
  }

  private void add(Map<String, Liked> titles, String title, int row) {
    Liked liked = titles.computeIfAbsent(title, Liked::new);
    liked.times++;
    liked.lastTime = Math.max(liked.lastTime, dataset.time(row));
    liked.users = Math.max(liked.users, gate.usersOf(dataset.item(row)));
  }
}
