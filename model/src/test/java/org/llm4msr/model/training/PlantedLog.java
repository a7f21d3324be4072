package org.llm4msr.model.training;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.llm4msr.model.data.CodedColumn;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.recommender.MetaConfig.Normalization;

/**
 * A small log with a planted rule: each user likes some kinds of items and dislikes the others, the
 * same in all scenarios; neither users nor items are better than others on average. What the users
 * like is known to the knowledge vectors too. An existing recommender knows a little of it.
 */
final class PlantedLog {
  static final int KINDS = 4;
  static final int ITEMS = 40;

  /** How much of the truth the existing recommender knows. */
  private static final double EXISTING = 0.1;

  private final Dataset dataset;
  private final double[][] taste;

  private PlantedLog(Dataset dataset, double[][] taste) {
    this.dataset = dataset;
    this.taste = taste;
  }

  static PlantedLog of(int rows, int users, SplitRule split, long seed) {
    Random random = new Random(seed);
    Random noise = new Random(seed + 1);
    List<Scenario> scenarios = List.of(new Scenario("web"), new Scenario("store"));
    DatasetBuilder builder = new DatasetBuilder("planted", "", scenarios);
    double[][] taste = new double[users][KINDS];
    for (int u = 0; u < users; u++) {
      builder.user("u" + u);
      // Two kinds loved, two not: the sum is 0, so no user likes more than another.
      int first = random.nextInt(KINDS);
      int second = (first + 1 + random.nextInt(KINDS - 1)) % KINDS;
      for (int k = 0; k < KINDS; k++) {
        taste[u][k] = k == first || k == second ? 2 : -2;
      }
    }
    CodedColumn kinds = new CodedColumn();
    for (int i = 0; i < ITEMS; i++) {
      builder.item("i" + i);
      kinds.add("kind" + i % KINDS);
    }
    for (int row = 0; row < rows; row++) {
      int user = random.nextInt(users);
      int item = random.nextInt(ITEMS);
      int scenario = random.nextInt(4) == 0 ? 1 : 0;
      double logit = taste[user][item % KINDS];
      int label = random.nextDouble() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
      builder.row(user, item, scenario, label, null, row);
      builder.logit(EXISTING * logit + noise.nextGaussian());
    }
    builder.split(split);
    builder.userIdField(1);
    builder.itemIdField(1);
    builder.field("kind", Field.Owner.ITEM, kinds, 1);
    return new PlantedLog(builder.build(), taste);
  }

  Dataset dataset() {
    return dataset;
  }

  /** Vectors that hold each user's taste, for all users or for those with an even number. */
  KnowledgeVectors vectors(boolean evenUsersOnly) {
    return new KnowledgeVectors() {
      @Override
      public int width() {
        return KINDS + 1;
      }

      @Override
      public boolean read(String id, float[] vector) {
        vector[KINDS] = 1;
        if (id.startsWith("scenario/")) {
          vector[0] = id.length();
          return true;
        }
        int user = Integer.parseInt(id.substring("user/u".length()));
        if (evenUsersOnly && user % 2 == 1) {
          return false;
        }
        for (int k = 0; k < KINDS; k++) {
          vector[k] = (float) taste[user][k];
        }
        return true;
      }
    };
  }

  /** AUC of the rows' mean training labels by user plus item: what needs no learning of tastes. */
  double[] biasScores(int[] rows) {
    double[] userSum = new double[dataset.users()];
    double[] itemSum = new double[dataset.items()];
    int[] userRows = dataset.trainRowsPerUser();
    int[] itemRows = dataset.trainRowsPerItem();
    for (int row : dataset.rowsOf(Split.TRAIN)) {
      userSum[dataset.user(row)] += dataset.label(row);
      itemSum[dataset.item(row)] += dataset.label(row);
    }
    List<Double> scores = new ArrayList<>();
    for (int row : rows) {
      int user = dataset.user(row);
      int item = dataset.item(row);
      scores.add(
          (userSum[user] + 1) / (userRows[user] + 2) + (itemSum[item] + 1) / (itemRows[item] + 2));
    }
    return scores.stream().mapToDouble(Double::doubleValue).toArray();
  }

  /** Knowledge of all users, one vector per user. */
  KnowledgeTables knowledge(Normalization normalization) {
    return new KnowledgeTables(vectors(false), Folds.NONE, normalization);
  }
}
