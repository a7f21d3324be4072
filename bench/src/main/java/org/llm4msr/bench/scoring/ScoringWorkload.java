package org.llm4msr.bench.scoring;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import org.llm4msr.model.data.CodedColumn;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.ModelBuilder.ModelParameter;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.recommender.backbone.Star;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.scorer.SnapshotWriter;
import org.llm4msr.model.scorer.VectorOrigin;
import org.llm4msr.model.training.KnowledgeTables;
import org.llm4msr.model.training.KnowledgeVectors;
import org.llm4msr.model.training.ParameterInitializer;
import org.llm4msr.model.training.Schemas;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * STAR 256-128-64 on 8 fields x 16, four of the user and four of the item, three scenarios, with or
 * without LLM4MSR: user layers 128-16-128 beside x, scenario layers 128-16-1, rank 32. Weights are
 * random.
 */
public final class ScoringWorkload implements AutoCloseable {
  public static final int EMBEDDING_DIM = 16;
  public static final int USER_FIELDS = 4;
  public static final int ITEM_FIELDS = 4;
  public static final int META_HIDDEN = 16;
  public static final int RANK = 32;
  public static final List<Integer> HIDDEN = List.of(256, 128, 64);
  private static final int USERS = 20_000;
  private static final int ITEMS = 100_000;
  private static final int SCENARIOS = 3;
  private static final int[] CATEGORIES = {3, 50, 1_000};

  private final int knowledgeWidth;
  private final int users;
  private final int items;
  private final Backend backend = Backends.open("cpu", new BackendOptions(1));
  private final ParameterStore store = new ParameterStore(backend);
  private final Dataset dataset;
  private final RecommenderModel model;
  private final VectorOrigin origin;

  /**
   * @param knowledgeWidth of the language model's vectors, 0 for the backbone alone
   */
  public ScoringWorkload(int knowledgeWidth) {
    this(knowledgeWidth, USERS, ITEMS, 1);
  }

  /**
   * @param seed of the weights
   */
  ScoringWorkload(int knowledgeWidth, int users, int items, long seed) {
    this.knowledgeWidth = knowledgeWidth;
    this.users = users;
    this.items = items;
    dataset = log();
    MetaConfig meta =
        knowledgeWidth == 0
            ? MetaConfig.off()
            : new MetaConfig(
                MetaConfig.UserMode.RESIDUAL,
                List.of(META_HIDDEN),
                0,
                false,
                MetaConfig.ScenarioMode.BOTTOM,
                List.of(META_HIDDEN),
                RANK,
                MetaConfig.Generators.AFFINE,
                MetaConfig.Normalization.NONE,
                MetaConfig.Fusion.ALPHA,
                false);
    RecommenderConfig config =
        new RecommenderConfig(EMBEDDING_DIM, 0.05, new Star(HIDDEN, false, List.of(), 0), meta);
    KnowledgeTables knowledge =
        knowledgeWidth == 0
            ? null
            : new KnowledgeTables(vectors(), Folds.NONE, MetaConfig.Normalization.NONE);
    model = RecommenderModel.build(config, Schemas.of(dataset, knowledge, 64), DType.F32, false);
    ParameterInitializer.create(store, model, seed, dataset, knowledge);
    origin =
        knowledge == null ? null : new VectorOrigin(null, null, knowledge.userScaling(dataset));
    SplittableRandom random = new SplittableRandom(5 * seed);
    for (ModelParameter parameter : model.inputs().parameters()) {
      if (parameter.group() == ParameterGroup.META || parameter.group() == ParameterGroup.FACTOR) {
        MemorySegment weights = store.get(parameter.value().name()).segment();
        for (long i = 0; i < weights.byteSize() / Float.BYTES; i++) {
          float changed = weights.getAtIndex(JAVA_FLOAT, i) + 0.02f * (float) random.nextGaussian();
          weights.setAtIndex(JAVA_FLOAT, i, changed);
        }
      }
    }
  }

  private Dataset log() {
    SplittableRandom random = new SplittableRandom(1);
    DatasetBuilder builder =
        new DatasetBuilder(
            "bench",
            "",
            List.of(new Scenario("web"), new Scenario("search"), new Scenario("store")));
    for (int u = 0; u < users; u++) {
      builder.user("u" + u);
    }
    for (int i = 0; i < items; i++) {
      builder.item("i" + i);
      builder.row(i % users, i, i % SCENARIOS, i % 2, Split.TRAIN, i);
    }
    builder.userIdField(1);
    for (int count : CATEGORIES) {
      builder.field("user" + count, Field.Owner.USER, column(random, users, count), 1);
    }
    builder.itemIdField(1);
    for (int count : CATEGORIES) {
      builder.field("item" + count, Field.Owner.ITEM, column(random, items, count), 1);
    }
    return builder.build();
  }

  private static CodedColumn column(RandomGenerator random, int entries, int count) {
    CodedColumn column = new CodedColumn();
    for (int i = 0; i < entries; i++) {
      column.add("v" + random.nextInt(count));
    }
    return column;
  }

  private KnowledgeVectors vectors() {
    return new KnowledgeVectors() {
      @Override
      public int width() {
        return knowledgeWidth;
      }

      @Override
      public boolean read(String id, float[] vector) {
        SplittableRandom random = new SplittableRandom(id.hashCode());
        for (int i = 0; i < vector.length; i++) {
          vector[i] = (float) random.nextGaussian();
        }
        return true;
      }
    };
  }

  public int knowledgeWidth() {
    return knowledgeWidth;
  }

  public Dataset dataset() {
    return dataset;
  }

  public ParameterStore store() {
    return store;
  }

  /** Writes the model as a snapshot. */
  public void export(Path file) {
    export(file, Precision.F32);
  }

  /**
   * Writes the model as a snapshot.
   *
   * @param precision of matrices and items' parts
   */
  public void export(Path file, Precision precision) {
    SnapshotWriter.write(
        file,
        new SnapshotWriter.Source("star", model, store, dataset, Folds.NONE, null, origin),
        new SnapshotWriter.Options(true, precision));
  }

  /** Requests: one user each, {@code n} items. */
  public int[][] requests(int count, int n) {
    SplittableRandom random = new SplittableRandom(7);
    int[][] requests = new int[count][];
    for (int r = 0; r < count; r++) {
      requests[r] = random.ints(n, 0, items).toArray();
    }
    return requests;
  }

  /** The user of a request. */
  public static int user(int request) {
    return (int) (request * 7919L % USERS);
  }

  @Override
  public void close() {
    store.close();
    backend.close();
  }
}
