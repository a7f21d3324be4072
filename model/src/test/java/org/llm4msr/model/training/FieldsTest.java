package org.llm4msr.model.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.model.data.CodedColumn;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Field;
import org.llm4msr.model.data.FieldOptions;
import org.llm4msr.model.data.ListColumn;
import org.llm4msr.model.data.NumberColumn;
import org.llm4msr.model.data.Pooling;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.SplitRule;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;

/** What a field knows reaches the model, from the data set through batches to training. */
class FieldsTest {
  private static final int ROWS = 3_000;
  private static final int CITIES = 20;

  /** Whether a row is liked depends on a number and on several cities. */
  private static Dataset log(boolean withFields) {
    Random random = new Random(8);
    DatasetBuilder builder =
        new DatasetBuilder("log", "", List.of(new Scenario("web"), new Scenario("store")));
    NumberColumn discount = new NumberColumn();
    CodedColumn home = new CodedColumn();
    CodedColumn shop = new CodedColumn();
    ListColumn route = new ListColumn();
    for (int row = 0; row < ROWS; row++) {
      int from = random.nextInt(CITIES);
      int to = random.nextInt(CITIES);
      boolean missing = random.nextInt(5) == 0;
      double percent = 500 + 10 * random.nextGaussian();
      double logit = (missing ? -2 : (percent - 500) / 5) + (from < 10 ? 1.5 : -1.5);
      logit += to < 10 ? 1.5 : -1.5;
      List<String> stops = new ArrayList<>();
      for (int stop = 0; stop < row % 4; stop++) {
        int city = random.nextInt(CITIES);
        stops.add("c" + city);
        logit += city < 10 ? 1 : -1;
      }
      int label = random.nextDouble() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
      int user = builder.user("u" + random.nextInt(50));
      builder.row(user, builder.item("i"), random.nextInt(2), label, null, row);
      discount.add(missing ? Double.NaN : percent);
      home.add("c" + from);
      shop.add("c" + to);
      route.set(row, stops);
    }
    builder.split(new SplitRule.Random(new SplitRule.Ratios(8, 1, 1), 1));
    builder.userIdField(new FieldOptions(1, 64, 2, ""));
    if (withFields) {
      builder.numberField("discount", Field.Owner.ROW, discount, 0);
      builder.field("home", Field.Owner.ROW, home, 1);
      FieldOptions sameCities = new FieldOptions(1, 0, 0, "home");
      builder.field("shop", Field.Owner.ROW, shop, sameCities);
      builder.listField("route", Field.Owner.ROW, route, sameCities, Pooling.SUM, 3);
    }
    return builder.build();
  }

  private static double auc(String backendName, boolean withFields, boolean lazy) {
    RecommenderConfig model =
        new RecommenderConfig(6, 0.05, new SharedBottom(List.of(12), List.of(6)), MetaConfig.off());
    TrainingConfig training =
        new TrainingConfig(7, 128, 8, 0, StopMetric.AUC, 0, 0, OptimizerConfig.adam(1e-2, lazy));
    try (Backend backend = Backends.open(backendName, new BackendOptions(2));
        Trainer trainer = new Trainer(backend, log(withFields), null, model, training)) {
      trainer.fit(new TrainingListener() {}, () -> false);
      return trainer.predict(Split.TEST).metrics().overall().auc();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "reference"})
  void numbersListsAndSharedTablesAreLearnt(String backend) {
    assertThat(auc(backend, false, false)).isLessThan(0.62);
    assertThat(auc(backend, true, false)).isGreaterThan(0.85);
    assertThat(auc(backend, true, true)).isGreaterThan(0.85);
  }
}
