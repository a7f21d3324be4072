package org.llm4msr.bench.scoring;

import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.llm4msr.model.data.CodedColumn;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.scorer.SnapshotWriter;
import org.llm4msr.model.training.ParameterInitializer;
import org.llm4msr.model.training.Schemas;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * A plain network 200-256-128-64-1: SharedBottom on 25 features of 8 numbers, one of the user and
 * 24 of the item. Weights are random.
 */
public final class MlpWorkload implements AutoCloseable {
  public static final int EMBEDDING_DIM = 8;
  public static final int USER_FIELDS = 1;
  public static final int ITEM_FIELDS = 24;
  private static final int USERS = 20_000;
  private static final int ITEMS = 20_000;
  private static final int CATEGORIES = 1_000;

  private final Backend backend = Backends.open("cpu", new BackendOptions(1));
  private final ParameterStore store = new ParameterStore(backend);
  private final Dataset dataset = log();
  private final RecommenderModel model;

  public MlpWorkload() {
    RecommenderConfig config =
        new RecommenderConfig(
            EMBEDDING_DIM,
            0.05,
            new SharedBottom(List.of(256, 128), List.of(64)),
            MetaConfig.off());
    model = RecommenderModel.build(config, Schemas.of(dataset, null, 64), DType.F32, false);
    ParameterInitializer.create(store, model, 1, dataset, null);
  }

  private static Dataset log() {
    SplittableRandom random = new SplittableRandom(1);
    DatasetBuilder builder =
        new DatasetBuilder("mlp", "", List.of(new Scenario("web"), new Scenario("store")));
    for (int u = 0; u < USERS; u++) {
      builder.user("u" + u);
    }
    for (int i = 0; i < ITEMS; i++) {
      builder.item("i" + i);
      builder.row(i % USERS, i, i % 2, i / 2 % 2, Split.TRAIN, i);
    }
    builder.userIdField(1);
    builder.itemIdField(1);
    for (int f = 1; f < ITEM_FIELDS; f++) {
      CodedColumn column = new CodedColumn();
      for (int i = 0; i < ITEMS; i++) {
        column.add("v" + random.nextInt(CATEGORIES));
      }
      builder.field("item" + f, Field.Owner.ITEM, column, 1);
    }
    return builder.build();
  }

  public Dataset dataset() {
    return dataset;
  }

  public ParameterStore store() {
    return store;
  }

  /**
   * Writes the model as a snapshot.
   *
   * @param precompute whether what the items add to the first layer is held ready
   */
  public void export(Path file, boolean precompute, Precision precision) {
    SnapshotWriter.write(
        file,
        new SnapshotWriter.Source("mlp", model, store, dataset, Folds.NONE, null, null),
        new SnapshotWriter.Options(precompute, precision));
  }

  /** The items of each request, {@code n} of them; the user is {@link ScoringWorkload#user}. */
  public int[][] requests(int count, int n) {
    SplittableRandom random = new SplittableRandom(7);
    int[][] requests = new int[count][];
    for (int r = 0; r < count; r++) {
      requests[r] = random.ints(n, 0, ITEMS).toArray();
    }
    return requests;
  }

  @Override
  public void close() {
    store.close();
    backend.close();
  }
}
