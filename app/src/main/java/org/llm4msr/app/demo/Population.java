package org.llm4msr.app.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * The synthetic customers. Each has a hidden taste (what the generator draws clicks from and never
 * writes down) and a few visible features that hint at it.
 */
final class Population {
  /**
   * One customer.
   *
   * @param affinity log-odds per subcategory, the same in every scenario
   * @param whim log-odds per scenario and category that do not carry over
   * @param priceTaste log-odds gained from the cheapest to the dearest price band, halved
   * @param eagerness log-odds of clicking anything
   * @param activity relative number of sessions per scenario; 0 = never there
   */
  record User(
      String id,
      int ageBand,
      int region,
      int loyaltyTier,
      double[] affinity,
      double[][] whim,
      double priceTaste,
      double eagerness,
      double[] activity) {}

  static final List<String> AGE_BANDS = List.of("18-24", "25-34", "35-44", "45-54", "55+");
  static final List<String> REGIONS =
      List.of("north", "coast", "capital", "valley", "south", "islands");
  static final List<String> LOYALTY_TIERS = List.of("none", "bronze", "silver", "gold");

  /** How much each kind of person cares for each category, in the order of {@link Catalogue}. */
  private static final double[][] PERSONAS = {
    // Kitchen Sweets Coffee Outdoor Fitness Beauty Kids Pets Electronics Games Books Fashion
    {0.2, 1.5, 0.3, 0.2, 0.4, 0.2, 0.1, 0.3, 2.2, 4.0, 1.4, 0.4}, // plays
    {0.3, 0.8, 0.6, 0.2, 1.2, 3.5, 0.2, 0.3, 0.3, 0.2, 0.4, 4.0}, // dresses
    {1.6, 1.2, 0.4, 0.4, 0.2, 0.4, 4.5, 0.6, 0.3, 0.5, 1.0, 0.3}, // brings up children
    {0.3, 0.2, 0.5, 3.5, 3.5, 0.3, 0.2, 0.8, 0.8, 0.2, 0.2, 0.7}, // moves
    {3.8, 1.0, 2.5, 0.3, 0.2, 0.6, 0.3, 0.8, 0.6, 0.2, 1.2, 0.3}, // keeps house
    {0.5, 0.3, 0.6, 1.4, 0.3, 0.3, 0.4, 4.5, 0.2, 0.3, 0.4, 0.3}, // keeps pets
    {0.4, 0.8, 3.0, 0.2, 0.2, 0.4, 0.2, 0.5, 0.3, 0.8, 4.0, 0.4}, // reads
    {0.5, 0.2, 1.2, 1.2, 0.7, 0.2, 0.2, 0.2, 4.0, 1.2, 0.5, 0.4}, // tinkers
  };

  /** How often each kind of person is found in each age band. */
  private static final double[][] PERSONA_BY_AGE = {
    {4.0, 3.0, 0.2, 1.5, 0.3, 0.7, 0.8, 1.2},
    {2.0, 2.5, 2.0, 2.0, 1.0, 1.0, 0.8, 1.5},
    {0.8, 1.2, 3.5, 1.5, 1.5, 1.0, 0.8, 1.2},
    {0.4, 0.8, 0.8, 1.2, 2.5, 1.8, 1.8, 1.0},
    {0.1, 0.4, 0.5, 0.8, 3.0, 2.0, 3.0, 0.6},
  };

  private static final double[] AGE_SHARES = {0.20, 0.26, 0.22, 0.18, 0.14};
  private static final double[] REGION_SHARES = {0.12, 0.20, 0.30, 0.14, 0.18, 0.06};

  /** Share of customers that are ever seen in each scenario. */
  private static final double[] REACH = {0.85, 0.70, 0.60, 0.50};

  /** How much more often busy customers come: in the store hardly at all. */
  private static final double[] BUSYNESS_SHOWS = {1.0, 1.1, 0.8, 0.3};

  private static final int MOST_LOVED = 3;
  private static final int DISLIKED = 3;

  private Population() {}

  static List<User> generate(Random random, int users, Catalogue catalogue) {
    List<User> population = new ArrayList<>(users);
    for (int u = 0; u < users; u++) {
      population.add(draw(random, u, catalogue));
    }
    return List.copyOf(population);
  }

  private static User draw(Random random, int index, Catalogue catalogue) {
    int age = Draw.index(random, AGE_SHARES);
    int region = Draw.index(random, REGION_SHARES);
    double[] category = categoryTaste(random, PERSONAS[Draw.index(random, PERSONA_BY_AGE[age])]);
    double[] affinity = new double[catalogue.subcategories().size()];
    for (int s = 0; s < affinity.length; s++) {
      affinity[s] =
          category[catalogue.subcategories().get(s).category()] + 0.45 * random.nextGaussian();
    }
    double[][] whim = new double[DemoScenario.values().length][category.length];
    for (double[] row : whim) {
      for (int c = 0; c < row.length; c++) {
        row[c] = 0.25 * random.nextGaussian();
      }
    }
    double eagerness = 0.55 * random.nextGaussian();
    double priceTaste = 0.35 * random.nextGaussian() + 0.05 * (age - 2);
    double loyalty = 1.2 + eagerness + 0.8 * priceTaste + random.nextGaussian();
    int tier = Math.clamp(StrictMath.round(loyalty), 0, LOYALTY_TIERS.size() - 1);
    // A long tail: the busiest tenth of the customers makes more than a third of the log.
    double busyness = StrictMath.exp(0.9 * random.nextGaussian());
    double[] activity = new double[REACH.length];
    for (int s = 0; s < activity.length; s++) {
      double here = StrictMath.pow(busyness, BUSYNESS_SHOWS[s]);
      here *= StrictMath.exp(0.5 * random.nextGaussian());
      activity[s] = random.nextDouble() < REACH[s] ? here : 0;
    }
    activity[index % activity.length] += 0.05; // nobody is wholly unseen
    return new User(
        "user-%05d".formatted(index + 1),
        age,
        region,
        tier,
        affinity,
        whim,
        priceTaste,
        eagerness,
        activity);
  }

  /** Two or three loves, up to three dislikes, mild opinions on the rest. */
  private static double[] categoryTaste(Random random, double[] persona) {
    double[] chance = persona.clone();
    double[] taste = new double[persona.length];
    for (int c = 0; c < taste.length; c++) {
      taste[c] = -0.45 + 0.3 * random.nextGaussian();
      chance[c] += 0.25;
    }
    int loved = MOST_LOVED - random.nextInt(2);
    for (int k = 0; k < loved; k++) {
      int c = Draw.index(random, chance);
      taste[c] = 1.5 + 0.4 * random.nextGaussian();
      chance[c] = 0;
    }
    for (int k = 0; k < DISLIKED; k++) {
      int c = random.nextInt(taste.length);
      if (chance[c] > 0) {
        taste[c] -= 0.9;
      }
    }
    return taste;
  }
}
