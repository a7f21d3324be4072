package org.llm4msr.model.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Pooling;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.scorer.SnapshotWriter;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;

/** What users liked before, from the log through batches to training. */
class HistoryTest {
  private static final int USERS = 400;
  private static final int ROWS_OF_USER = 25;
  private static final int KINDS = 6;

  @TempDir private Path folder;

  /** Users like two of six kinds of items; neither they nor the kinds are fields. */
  private static Dataset log(Pooling pooling) {
    Random random = new Random(2);
    DatasetBuilder builder =
        new DatasetBuilder("log", "", List.of(new Scenario("web"), new Scenario("store")));
    int[][] likes = new int[USERS][];
    for (int user = 0; user < USERS; user++) {
      builder.user("u" + user);
      likes[user] = random.ints(0, KINDS).distinct().limit(2).toArray();
    }
    for (int row = 0; row < USERS * ROWS_OF_USER; row++) {
      int user = random.nextInt(USERS);
      int kind = random.nextInt(3) == 0 ? likes[user][random.nextInt(2)] : random.nextInt(KINDS);
      boolean liked = kind == likes[user][0] || kind == likes[user][1];
      int item = builder.item("i" + kind + " " + random.nextInt(10));
      int label = random.nextDouble() < (liked ? 0.9 : 0.1) ? 1 : 0;
      builder.row(user, item, random.nextInt(2), label, null, row);
    }
    builder.split(new SplitRule.ByTime(new SplitRule.Ratios(8, 1, 1)));
    builder.itemIdField(1);
    if (pooling != null) {
      builder.historyField("history", pooling, 8);
    }
    return builder.build();
  }

  private static Trainer trainer(Backend backend, Dataset dataset) {
    RecommenderConfig model =
        new RecommenderConfig(8, 0.1, new SharedBottom(List.of(24), List.of(12)), MetaConfig.off());
    TrainingConfig training =
        new TrainingConfig(8, 128, 5, 0, StopMetric.AUC, 0, 0, OptimizerConfig.adam(1e-2, false));
    return new Trainer(backend, dataset, null, model, training);
  }

  private static double auc(Pooling pooling) {
    try (Backend backend = Backends.open("cpu", new BackendOptions(2));
        Trainer trainer = trainer(backend, log(pooling))) {
      trainer.fit(new TrainingListener() {}, () -> false);
      return trainer.predict(Split.TEST).metrics().overall().auc();
    }
  }

  @Test
  void itemsAloneSayNothing() {
    assertThat(auc(null)).isLessThan(0.65);
  }

  @ParameterizedTest
  @EnumSource
  void historiesAreLearnt(Pooling pooling) {
    assertThat(auc(pooling)).isGreaterThan(0.74);
  }

  @Test
  void snapshotsRefuseWhatTheyCannotScore() {
    Path file = folder.resolve("refused.snapshot");
    try (Backend backend = Backends.open("cpu", new BackendOptions(1));
        Dataset dataset = log(Pooling.ATTENTION);
        Trainer trainer = trainer(backend, dataset)) {
      assertThatThrownBy(() ->
              SnapshotWriter.write(
                  file,
                  new SnapshotWriter.Source(
                      "history",
                      trainer.model(),
                      trainer.parameters(),
                      dataset,
                      Folds.NONE,
                      null,
                      null),
                  new SnapshotWriter.Options(true, Precision.F32)))
          .isInstanceOf(UserError.class)
          .hasMessageContainingAll("pools by attention (history)", "pooling: mean or sum");
      assertThat(file).doesNotExist();
    }
  }
}
