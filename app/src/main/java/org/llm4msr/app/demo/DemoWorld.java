package org.llm4msr.app.demo;

import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A synthetic company, made up from a seed so that the demo needs no one's data: about 4,000
 * customers meet 1,500 articles in four scenarios, some 200,000 times in three months.
 *
 * <p>What is behind a click: the customer's hidden taste per category and subcategory, which is the
 * same in all scenarios; the scenario's quirks ({@link DemoScenario}: level, price aversion, loss
 * down the page, supply, busiest hour); the quality of the article; and chance. The physical store
 * starts late and holds under two rows in a hundred of the first 80 % of the log, so what it needs
 * must come from elsewhere.
 *
 * <p>Nothing here stands for a real person, brand or shop. The same seed gives the same bytes on
 * every machine.
 */
public final class DemoWorld {
  /** The seed of the demo. */
  public static final long SEED = 20260101L;

  public static final int USERS = 4_000;
  public static final int IMPRESSIONS = 200_000;

  /** Name of the YAML file among the files written. */
  public static final String DESCRIPTION = "kazamidori.yaml";

  private static final int ITEMS_PER_SUBCATEGORY = 25;
  private static final int DAYS = 90;

  /** 2025-09-01T00:00:00Z. */
  private static final long FIRST_SECOND = 1_756_684_800L;

  private static final long SECONDS_PER_DAY = 86_400;
  private static final long SECONDS_BETWEEN_IMPRESSIONS = 7;

  /** Share of the impressions that follow the customer's taste, as a shop's search box would. */
  private static final double TARGETED = 0.25;

  /** Names of the six parts of the day, four hours each from midnight. */
  private static final List<String> DAYPARTS =
      List.of("night", "early", "morning", "afternoon", "evening", "late");

  /**
   * One row of the log. {@code probability} is what the label was drawn from; it is not written.
   */
  record Impression(
      int user,
      int item,
      DemoScenario scenario,
      int position,
      long timestampSeconds,
      double probability,
      boolean clicked) {}

  private final Catalogue catalogue;
  private final List<Population.User> users;
  private final double[] itemQuality;
  private final List<Impression> log;

  private DemoWorld(long seed, int userCount, int impressionCount) {
    // Streams of their own, so that a change to one part leaves the others as they were.
    catalogue = Catalogue.generate(new Random(seed), ITEMS_PER_SUBCATEGORY);
    users = Population.generate(new Random(seed + 1), userCount, catalogue);
    Random random = new Random(seed + 2);
    int items = catalogue.items().size();
    itemQuality = new double[items];
    double[] popularity = new double[items];
    for (int i = 0; i < items; i++) {
      itemQuality[i] = 0.55 * random.nextGaussian();
      popularity[i] = StrictMath.exp(0.8 * random.nextGaussian() + 0.5 * itemQuality[i]);
    }
    log = new ArrayList<>(impressionCount);
    for (DemoScenario scenario : DemoScenario.values()) {
      int rows = (int) StrictMath.round(scenario.share * impressionCount);
      browse(new Random(seed + 3 + scenario.ordinal()), scenario, popularity, rows);
    }
    log.sort(Comparator.comparingLong(Impression::timestampSeconds));
  }

  /** The demo's world in its full size. */
  public static DemoWorld generate(long seed) {
    return generate(seed, USERS, IMPRESSIONS);
  }

  /**
   * A world of another size.
   *
   * @throws IllegalArgumentException unless both counts are positive
   */
  public static DemoWorld generate(long seed, int userCount, int impressionCount) {
    if (userCount < 1 || impressionCount < 1) {
      throw new IllegalArgumentException(
          "users and impressions must be positive, got " + userCount + " and " + impressionCount);
    }
    return new DemoWorld(seed, userCount, impressionCount);
  }

  /**
   * What the company calls its articles and scenarios, in both languages: for every article its
   * title, category and subcategory, so that a category comes as often as it has articles.
   */
  public List<String> texts() {
    List<Catalogue.Name> names = new ArrayList<>();
    for (Catalogue.Item item : catalogue.items()) {
      names.add(item.title());
      names.add(catalogue.categories().get(item.category()).name());
      names.add(catalogue.subcategories().get(item.subcategory()).name());
    }
    for (DemoScenario scenario : DemoScenario.values()) {
      names.add(scenario.title);
      names.add(scenario.description);
    }
    return names.stream().flatMap(name -> Stream.of(name.en(), name.ja())).toList();
  }

  List<Impression> log() {
    return log;
  }

  List<Population.User> users() {
    return users;
  }

  Catalogue catalogue() {
    return catalogue;
  }

  /** Adds {@code rows} impressions in sessions of one customer each. */
  private void browse(Random random, DemoScenario scenario, double[] popularity, int rows) {
    int s = scenario.ordinal();
    double[] visits = Draw.cumulative(users.stream().mapToDouble(u -> u.activity()[s]).toArray());
    double[] supply = new double[catalogue.items().size()];
    double[] subcategorySupply = new double[catalogue.subcategories().size()];
    for (int i = 0; i < supply.length; i++) {
      Catalogue.Item item = catalogue.items().get(i);
      supply[i] = popularity[i] * scenario.supply(item.category());
      subcategorySupply[item.subcategory()] += supply[i];
    }
    double[] itemSums = Draw.cumulative(supply);
    int length = scenario.quirks.sessionLength();
    int left = rows;
    while (left > 0) {
      int user = Draw.fromCumulative(random, visits);
      long second = sessionStart(random, scenario);
      int wanted = Math.min(left, length / 2 + 1 + random.nextInt(length));
      Set<Integer> shown = new HashSet<>();
      while (shown.size() < wanted) {
        int item = Draw.fromCumulative(random, itemSums);
        if (random.nextDouble() < TARGETED) {
          item = likelyItem(random, users.get(user), subcategorySupply, supply);
        }
        if (shown.add(item)) {
          log.add(show(random, user, item, scenario, shown.size(), second));
          second += SECONDS_BETWEEN_IMPRESSIONS;
        }
      }
      left -= wanted;
    }
  }

  /** An article of a subcategory that the customer probably cares for. */
  private static int likelyItem(
      Random random, Population.User user, double[] subcategorySupply, double[] supply) {
    double[] weights = subcategorySupply.clone();
    for (int c = 0; c < weights.length; c++) {
      weights[c] *= StrictMath.exp(user.affinity()[c]);
    }
    int first = Draw.index(random, weights) * ITEMS_PER_SUBCATEGORY;
    double[] choice = Arrays.copyOfRange(supply, first, first + ITEMS_PER_SUBCATEGORY);
    return first + Draw.index(random, choice);
  }

  /** Seconds since 1970 at which a session begins, within the scenario's days and hours. */
  private static long sessionStart(Random random, DemoScenario scenario) {
    int firstDay = scenario.quirks.firstDay();
    // The square root of a uniform number grows linearly in density.
    double part = random.nextDouble();
    double day = firstDay == 0 ? part * DAYS : firstDay + StrictMath.sqrt(part) * (DAYS - firstDay);
    double hour;
    do {
      hour = scenario.quirks.busiestHour() + 3.5 * random.nextGaussian();
    } while (hour < scenario.quirks.opensAt() || hour >= scenario.quirks.closesAt());
    return FIRST_SECOND + (long) day * SECONDS_PER_DAY + (long) (hour * 3600);
  }

  private Impression show(
      Random random, int user, int item, DemoScenario scenario, int position, long second) {
    Population.User who = users.get(user);
    Catalogue.Item what = catalogue.items().get(item);
    DemoScenario.Quirks quirks = scenario.quirks;
    double price = (what.priceBand() - 1.5) / 1.5;
    double hour = second % SECONDS_PER_DAY / 3600.0;
    double logit =
        quirks.base()
            + who.eagerness()
            + itemQuality[item]
            + quirks.tasteGain() * who.affinity()[what.subcategory()]
            + who.whim()[scenario.ordinal()][what.category()]
            + scenario.categoryQuirk(what.category())
            + (who.priceTaste() - quirks.priceAversion()) * price
            - quirks.positionLoss() * (position - 1)
            + 0.2 * StrictMath.cos(2 * StrictMath.PI * (hour - quirks.busiestHour()) / 24);
    double probability = 1 / (1 + StrictMath.exp(-logit));
    boolean clicked = random.nextDouble() < probability;
    return new Impression(user, item, scenario, position, second, probability, clicked);
  }

  /**
   * Writes {@code interactions.csv} (in order of time), {@code items.csv}, {@code users.csv} and
   * {@value #DESCRIPTION}, which describes them.
   *
   * @return the description's path
   * @throws IOException if the folder cannot be made or written to
   */
  public Path write(Path folder) throws IOException {
    Files.createDirectories(folder);
    try (Writer out = Files.newBufferedWriter(folder.resolve("interactions.csv"))) {
      out.write("user_id,item_id,scenario,position,daypart,timestamp,label\n");
      for (Impression row : log) {
        String user = users.get(row.user()).id();
        String item = catalogue.items().get(row.item()).id();
        String daypart = DAYPARTS.get((int) (row.timestampSeconds() % SECONDS_PER_DAY / 14_400));
        line(
            out,
            user,
            item,
            row.scenario().id,
            row.position(),
            daypart,
            row.timestampSeconds(),
            row.clicked() ? 1 : 0);
      }
    }
    try (Writer out = Files.newBufferedWriter(folder.resolve("items.csv"))) {
      out.write("item_id,title,title_ja,category,category_ja,subcategory,subcategory_ja");
      out.write(",brand,price_band\n");
      for (Catalogue.Item item : catalogue.items()) {
        Catalogue.Name category = catalogue.categories().get(item.category()).name();
        Catalogue.Name subcategory = catalogue.subcategories().get(item.subcategory()).name();
        line(
            out,
            item.id(),
            item.title().en(),
            item.title().ja(),
            category.en(),
            category.ja(),
            subcategory.en(),
            subcategory.ja(),
            item.brand().en(),
            Catalogue.PRICE_BANDS.get(item.priceBand()));
      }
    }
    try (Writer out = Files.newBufferedWriter(folder.resolve("users.csv"))) {
      out.write("user_id,age_band,region,loyalty_tier\n");
      for (Population.User user : users) {
        line(
            out,
            user.id(),
            Population.AGE_BANDS.get(user.ageBand()),
            Population.REGIONS.get(user.region()),
            Population.LOYALTY_TIERS.get(user.loyaltyTier()));
      }
    }
    Path description = folder.resolve(DESCRIPTION);
    Files.writeString(description, DemoDescription.yaml());
    return description;
  }

  /**
   * Writes vectors that hold what no column of the log says, in the form that {@code encode}
   * leaves: see {@link PlantedVectors}.
   *
   * @throws org.llm4msr.runtime.UserError if the file cannot be written
   */
  public void writeKnowledge(Path file) {
    PlantedVectors.write(this, file);
  }

  /** One CSV line. No field of this world holds a comma or a quotation mark. */
  private static void line(Writer out, Object... fields) throws IOException {
    for (int i = 0; i < fields.length; i++) {
      out.write(i == 0 ? "" : ",");
      out.write(fields[i].toString());
    }
    out.write("\n");
  }
}
