package org.llm4msr.model.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.OptimizerConfig;
import org.llm4msr.model.recommender.RecommenderConfig;
import org.llm4msr.model.recommender.backbone.SharedBottom;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
import org.llm4msr.runtime.memory.AllocationTracker;

/** A metric that is undefined on the validation rows is refused before anything is trained. */
class StopMetricTest {
  private final Backend backend = Backends.open("reference", new BackendOptions(1));

  @AfterEach
  void nothingStaysOpen() {
    backend.close();
    assertThat(AllocationTracker.open()).isEmpty();
  }

  /** Training rows of both labels everywhere, and validation rows with these labels. */
  private static Dataset log(String webLabels, String storeLabels) {
    List<String> valid = List.of(webLabels, storeLabels);
    DatasetBuilder builder =
        new DatasetBuilder("log", "", List.of(new Scenario("web"), new Scenario("store")));
    for (int scenario = 0; scenario < 2; scenario++) {
      for (int label = 0; label < 2; label++) {
        builder.row(
            builder.user("u"),
            builder.item("i" + label),
            scenario,
            label,
            Split.TRAIN,
            Dataset.NO_TIME);
      }
      for (char label : valid.get(scenario).toCharArray()) {
        builder.row(
            builder.user("u"),
            builder.item("i1"),
            scenario,
            label - '0',
            Split.VALID,
            Dataset.NO_TIME);
      }
    }
    builder.userIdField(1);
    builder.itemIdField(1);
    return builder.build();
  }

  private void train(Dataset dataset, StopMetric metric, String scenario, RowWeights weights) {
    RecommenderConfig model =
        new RecommenderConfig(2, 0.05, new SharedBottom(List.of(2), List.of(2)), MetaConfig.off());
    TrainingConfig config =
        new TrainingConfig(
            1,
            8,
            1,
            0,
            metric,
            0,
            0,
            OptimizerConfig.adam(1e-2, false),
            LearningRateSchedule.CONSTANT,
            weights,
            scenario);
    try (Trainer trainer = new Trainer(backend, dataset, null, model, config)) {
      trainer.fit(new TrainingListener() {}, () -> false);
      assertThat(trainer.history().getLast().score()).isFinite();
    }
  }

  private void accepts(String webLabels, String storeLabels, StopMetric metric, String scenario) {
    assertThatCode(() -> train(log(webLabels, storeLabels), metric, scenario, RowWeights.EQUAL))
        .doesNotThrowAnyException();
  }

  private void refuses(
      String webLabels, String storeLabels, StopMetric metric, String scenario, String... parts) {
    assertThatThrownBy(() -> train(log(webLabels, storeLabels), metric, scenario, RowWeights.EQUAL))
        .isInstanceOf(UserError.class)
        .hasMessageStartingWith("log: ")
        .hasMessageContainingAll(parts);
  }

  @Test
  void anAucNeedsBothLabels() {
    accepts("0", "1", StopMetric.AUC, "");
    refuses(
        "00",
        "0",
        StopMetric.AUC,
        "",
        "the validation rows all have label 0",
        "AUC",
        "change the split, or use --stop-metric logloss");
    refuses("", "11", StopMetric.AUC, "", "the validation rows all have label 1");
    refuses("", "", StopMetric.AUC, "", "log: no validation rows");
  }

  @Test
  void theMeanOfAucsNeedsOneScenarioWithBothLabels() {
    accepts("0", "01", StopMetric.SCENARIO_AUC, "");
    refuses(
        "00",
        "1",
        StopMetric.SCENARIO_AUC,
        "",
        "no scenario has validation rows of both labels",
        "--stop-metric auc or logloss");
  }

  @Test
  void aLogLossNeedsRows() {
    accepts("1", "1", StopMetric.LOGLOSS, "");
    accepts("", "1", StopMetric.LOGLOSS, "store");
    refuses("", "", StopMetric.LOGLOSS, "", "no validation rows");
    refuses("01", "", StopMetric.LOGLOSS, "store", "scenario store has no validation rows");
  }

  @Test
  void oneScenarioNeedsTheSameOfItsOwnRows() {
    for (StopMetric metric : List.of(StopMetric.AUC, StopMetric.SCENARIO_AUC)) {
      accepts("0", "01", metric, "store");
      refuses(
          "01",
          "11",
          metric,
          "store",
          "the validation rows of scenario store all have label 1",
          "change the split or take another --stop-scenario, or use --stop-metric logloss");
      refuses("01", "", metric, "store", "scenario store has no validation rows");
    }
  }

  @Test
  void weightsThatAreAllZeroAreRefused() {
    Dataset dataset = log("01", "01");
    for (RowWeights weights :
        List.of(
            new RowWeights(1, Map.of("web", 0.0, "store", 0.0), false),
            new RowWeights(1, Map.of("web", 0.0, "store", 1e-60), true))) {
      assertThatThrownBy(() -> train(dataset, StopMetric.AUC, "", weights))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("log: every training row has weight 0")
          .hasMessageContaining("--scenario-weight or --positive-weight");
    }
    // What is left has one label, or one scenario: little, but something.
    train(dataset, StopMetric.AUC, "", new RowWeights(0, Map.of(), false));
    train(dataset, StopMetric.AUC, "", new RowWeights(1, Map.of("web", 0.0), false));
  }
}
