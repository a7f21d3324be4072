package org.llm4msr.app.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.commons.math3.stat.correlation.PearsonsCorrelation;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Everything is measured on the files that were written, not on what the generator knows. */
class DemoWorldTest {
  private static final List<String> SCENARIOS =
      List.of("web_shop", "short_video", "app_shelf", "physical_store");

  @TempDir static Path folder;
  private static List<Map<String, String>> log;
  private static List<Map<String, String>> items;
  private static List<Map<String, String>> users;

  @BeforeAll
  static void writeTheWorld() throws IOException {
    DemoWorld.generate(DemoWorld.SEED).write(folder);
    log = read("interactions.csv");
    items = read("items.csv");
    users = read("users.csv");
  }

  @Test
  void theSameSeedGivesTheSameBytesAndAnotherSeedDoesNot(@TempDir Path again, @TempDir Path other)
      throws IOException {
    DemoWorld.generate(DemoWorld.SEED).write(again);
    DemoWorld.generate(DemoWorld.SEED + 1).write(other);
    try (var files = Files.list(folder)) {
      for (Path file : files.toList()) {
        assertThat(again.resolve(file.getFileName())).hasSameBinaryContentAs(file);
      }
    }
    assertThat(Files.mismatch(folder.resolve("items.csv"), other.resolve("items.csv")))
        .isNotNegative();
  }

  @Test
  void hasTheStatedSizeAndIsOrderedByTime() {
    assertThat(log).hasSize(200_000);
    assertThat(items).hasSize(1_500);
    assertThat(users).hasSize(4_000);
    long previous = 0;
    for (Map<String, String> row : log) {
      long now = Long.parseLong(row.get("timestamp"));
      assertThat(now).isGreaterThanOrEqualTo(previous);
      previous = now;
    }
  }

  @Test
  void everyRowPointsToAUserAndAnItemAndIdsAndTitlesAreUnique() {
    Set<String> itemIds = new HashSet<>();
    Set<String> titles = new HashSet<>();
    for (Map<String, String> item : items) {
      assertThat(itemIds.add(item.get("item_id"))).isTrue();
      assertThat(titles.add(item.get("title"))).isTrue();
      assertThat(item.values()).doesNotContain("");
      assertThat(item.get("title")).matches("\\p{ASCII}+");
      assertThat(item.get("title_ja")).matches(".*[\\p{IsHan}\\p{IsKatakana}\\p{IsHiragana}].*");
    }
    Set<String> userIds = new HashSet<>();
    users.forEach(user -> userIds.add(user.get("user_id")));
    assertThat(userIds).hasSize(users.size());
    for (Map<String, String> row : log) {
      assertThat(itemIds).contains(row.get("item_id"));
      assertThat(userIds).contains(row.get("user_id"));
    }
  }

  @Test
  void theStoreIsStarvedInTheFirstFourFifthsAndMeasurableInTheLastTenth() {
    Map<String, Integer> early = count(log.subList(0, 160_000));
    Map<String, Integer> late = count(log.subList(180_000, 200_000));
    assertThat(early.get("physical_store")).isBetween(1_500, 3_200);
    assertThat(late.get("physical_store")).isGreaterThan(3_000);
    for (String scenario : SCENARIOS.subList(0, 3)) {
      assertThat(early.get(scenario)).as(scenario).isGreaterThan(25_000);
      assertThat(late.get(scenario)).as(scenario).isGreaterThan(2_000);
    }
  }

  @Test
  void mostCustomersHaveNoStoreRowsToLearnFromAndActivityHasALongTail() {
    Set<String> known = new HashSet<>();
    Map<String, Integer> rows = new HashMap<>();
    for (Map<String, String> row : log.subList(0, 160_000)) {
      rows.merge(row.get("user_id"), 1, Integer::sum);
      if (row.get("scenario").equals("physical_store")) {
        known.add(row.get("user_id"));
      }
    }
    assertThat(known.size()).isLessThan(users.size() / 4);
    List<Integer> activity = new ArrayList<>(rows.values());
    activity.sort(Collections.reverseOrder());
    int top = activity.subList(0, users.size() / 10).stream().mapToInt(Integer::intValue).sum();
    assertThat(top / 160_000.0).as("share of the busiest tenth").isBetween(0.3, 0.6);
  }

  @Test
  void everyScenarioHasALevelOfItsOwn() {
    Map<String, Integer> all = count(log);
    Map<String, Integer> clicked =
        count(log.stream().filter(row -> row.get("label").equals("1")).toList());
    List<Double> rates = new ArrayList<>();
    for (String scenario : SCENARIOS) {
      rates.add(clicked.get(scenario) / (double) all.get(scenario));
    }
    assertThat(rates).allSatisfy(rate -> assertThat(rate).isBetween(0.15, 0.5));
    assertThat(Collections.max(rates) - Collections.min(rates)).isGreaterThan(0.1);
  }

  @Test
  void tasteShownInOneScenarioIsTasteInAnother() {
    Map<String, String> categoryOf = new HashMap<>();
    items.forEach(item -> categoryOf.put(item.get("item_id"), item.get("category")));
    Map<String, Map<String, double[]>> cells = new HashMap<>(); // scenario, user|category
    for (String scenario : SCENARIOS) {
      cells.put(scenario, surplusPerUserAndCategory(scenario, categoryOf));
    }
    List<String> shuffled = new ArrayList<>(users.stream().map(u -> u.get("user_id")).toList());
    Collections.shuffle(shuffled, new Random(7));
    Map<String, String> stranger = new HashMap<>();
    for (int u = 0; u < shuffled.size(); u++) {
      stranger.put(users.get(u).get("user_id"), shuffled.get(u));
    }
    for (int a = 0; a < SCENARIOS.size(); a++) {
      for (int b = a + 1; b < SCENARIOS.size(); b++) {
        Map<String, double[]> here = cells.get(SCENARIOS.get(a));
        Map<String, double[]> there = cells.get(SCENARIOS.get(b));
        String pair = SCENARIOS.get(a) + " and " + SCENARIOS.get(b);
        assertThat(correlation(here, there, Map.of())).as(pair).isGreaterThan(0.3);
        assertThat(correlation(here, there, stranger)).as(pair).isCloseTo(0, within(0.1));
      }
    }
  }

  @Test
  void aSmallerWorldIsPossibleAndAnEmptyOneIsRefused(@TempDir Path small) throws IOException {
    DemoWorld.generate(1, 50, 1_000).write(small);
    assertThat(Files.readAllLines(small.resolve("interactions.csv"))).hasSize(1_001);
    assertThat(Files.readAllLines(small.resolve("users.csv"))).hasSize(51);
    assertThatIllegalArgumentException().isThrownBy(() -> DemoWorld.generate(1, 0, 10));
  }

  /**
   * Per user and category: click rate less the category's mean in the scenario, and the number of
   * rows.
   */
  private static Map<String, double[]> surplusPerUserAndCategory(
      String scenario, Map<String, String> categoryOf) {
    Map<String, double[]> byCategory = new HashMap<>();
    Map<String, double[]> byCell = new HashMap<>();
    for (Map<String, String> row : log) {
      if (row.get("scenario").equals(scenario)) {
        String category = categoryOf.get(row.get("item_id"));
        double label = Double.parseDouble(row.get("label"));
        for (double[] sum :
            List.of(
                byCategory.computeIfAbsent(category, k -> new double[2]),
                byCell.computeIfAbsent(row.get("user_id") + "|" + category, k -> new double[2]))) {
          sum[0] += label;
          sum[1]++;
        }
      }
    }
    byCell.forEach((cell, sum) -> {
      double[] category = byCategory.get(cell.substring(cell.indexOf('|') + 1));
      sum[0] = sum[0] / sum[1] - category[0] / category[1];
    });
    return byCell;
  }

  /** Correlation over cells with at least three rows on both sides. */
  private static double correlation(
      Map<String, double[]> here, Map<String, double[]> there, Map<String, String> stranger) {
    List<double[]> pairs = new ArrayList<>();
    here.forEach((cell, a) -> {
      int bar = cell.indexOf('|');
      String user = cell.substring(0, bar);
      double[] b = there.get(stranger.getOrDefault(user, user) + cell.substring(bar));
      if (b != null && a[1] >= 3 && b[1] >= 3) {
        pairs.add(new double[] {a[0], b[0]});
      }
    });
    assertThat(pairs.size()).isGreaterThan(100);
    double[] x = pairs.stream().mapToDouble(pair -> pair[0]).toArray();
    double[] y = pairs.stream().mapToDouble(pair -> pair[1]).toArray();
    return new PearsonsCorrelation().correlation(x, y);
  }

  private static Map<String, Integer> count(List<Map<String, String>> rows) {
    Map<String, Integer> counts = new HashMap<>();
    rows.forEach(row -> counts.merge(row.get("scenario"), 1, Integer::sum));
    return counts;
  }

  private static List<Map<String, String>> read(String file) throws IOException {
    List<String> lines = Files.readAllLines(folder.resolve(file));
    String[] names = lines.getFirst().split(",");
    List<Map<String, String>> rows = new ArrayList<>();
    for (String line : lines.subList(1, lines.size())) {
      String[] fields = line.split(",", -1);
      assertThat(fields).hasSameSizeAs(names);
      Map<String, String> row = new HashMap<>();
      for (int i = 0; i < names.length; i++) {
        row.put(names[i], fields[i]);
      }
      rows.add(row);
    }
    return rows;
  }
}
