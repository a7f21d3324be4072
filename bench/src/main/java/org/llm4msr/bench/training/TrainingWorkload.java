package org.llm4msr.bench.training;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.ModelSchema;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.Backbone;
import org.llm4msr.model.recommender.backbone.Mmoe;
import org.llm4msr.model.recommender.backbone.Ple;
import org.llm4msr.model.recommender.backbone.Star;

/**
 * What is trained: a backbone over 8 fields of width 16, three scenarios with half, three tenths
 * and a fifth of the rows, optionally with both meta networks around it. With tables of up to a
 * million rows these are 1 M, 300 k, 100 k, 30 k and 4 x 10 k, 23.5 million parameters in all.
 *
 * @param largestTable rows of the largest tables; those that would have more are cut to it
 * @param batchSize rows of a batch
 * @param knowledgeWidth width of the language model's vectors, 0 for the backbone alone
 */
public record TrainingWorkload(Kind kind, int largestTable, int batchSize, int knowledgeWidth) {
  /** The backbones that are measured. */
  public enum Kind {
    /** 256-128-64. */
    STAR,
    /** 4 experts 256-128, towers 64. */
    MMOE,
    /** 2 levels of one own expert and a shared one, 256-128, towers 64. */
    PLE
  }

  public static final List<Integer> STAR_HIDDEN = List.of(256, 128, 64);
  public static final List<Integer> EXPERT = List.of(256, 128);
  public static final List<Integer> TOWER = List.of(64);
  public static final int EXPERTS = 4;
  public static final int LEVELS = 2;
  public static final int SCENARIOS = 3;
  public static final int EMBEDDING_DIM = 16;
  public static final int RANK = 32;
  public static final List<Integer> META_HIDDEN = List.of(16);

  private static final int[] TABLES = {
    1_000_000, 300_000, 100_000, 30_000, 10_000, 10_000, 10_000, 10_000
  };
  private static final double[] SHARES = {.5, .3, .2};
  private static final int USERS = 20_000;
  private static final double POSITIVES = .3;
  private static final long SEED = 1;

  /**
   * One batch, rows sorted by scenario as the training's batcher sorts them.
   *
   * @param ids {@code [rows, fields]}
   * @param scenarios {@code [rows]}
   * @param users {@code [rows]}
   * @param labels {@code [rows]}
   */
  public record Rows(int[] ids, int[] scenarios, int[] users, float[] labels) {}

  public static int fields() {
    return TABLES.length;
  }

  private int vocabulary(int field) {
    return Math.min(TABLES[field], largestTable);
  }

  private Backbone backbone() {
    return switch (kind) {
      case STAR -> new Star(STAR_HIDDEN, false, List.of(), 0);
      case MMOE -> new Mmoe(EXPERTS, EXPERT, TOWER);
      case PLE -> new Ple(LEVELS, 1, 1, EXPERT, TOWER);
    };
  }

  /** The network's configuration. */
  public RecommenderConfig config() {
    MetaConfig meta =
        knowledgeWidth == 0
            ? MetaConfig.off()
            : new MetaConfig(
                MetaConfig.UserMode.REPLACE,
                META_HIDDEN,
                0,
                false,
                MetaConfig.ScenarioMode.BOTTOM,
                META_HIDDEN,
                RANK,
                MetaConfig.Generators.AFFINE,
                MetaConfig.Normalization.NONE,
                MetaConfig.Fusion.ALPHA,
                false);
    return new RecommenderConfig(EMBEDDING_DIM, 0.05, backbone(), meta);
  }

  /** The data's sizes. */
  public ModelSchema schema() {
    List<ModelSchema.Field> fields =
        IntStream.range(0, TABLES.length)
            .mapToObj(i -> new ModelSchema.Field("f" + i, vocabulary(i)))
            .toList();
    int users = knowledgeWidth == 0 ? 0 : USERS;
    return new ModelSchema(fields, SCENARIOS, users, knowledgeWidth, batchSize);
  }

  /** Draws batches: ids and users uniform, so that nearly all users of a batch are distinct. */
  public List<Rows> batches(int count) {
    SplittableRandom random = new SplittableRandom(SEED);
    List<Rows> batches = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      batches.add(batch(random));
    }
    return batches;
  }

  private Rows batch(SplittableRandom random) {
    int[] scenarios =
        IntStream.range(0, batchSize).map(row -> scenario(random.nextDouble())).sorted().toArray();
    int[] ids = new int[batchSize * TABLES.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = random.nextInt(vocabulary(i % TABLES.length));
    }
    int[] users = random.ints(batchSize, 0, USERS).toArray();
    float[] labels = new float[batchSize];
    for (int row = 0; row < batchSize; row++) {
      labels[row] = random.nextDouble() < POSITIVES ? 1 : 0;
    }
    return new Rows(ids, scenarios, users, labels);
  }

  private static int scenario(double uniform) {
    return uniform < SHARES[0] ? 0 : uniform < SHARES[0] + SHARES[1] ? 1 : 2;
  }
}
