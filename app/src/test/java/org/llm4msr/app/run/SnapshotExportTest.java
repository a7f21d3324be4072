package org.llm4msr.app.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.llm4msr.app.run.SnapshotExport.AucLoss;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.DatasetBuilder;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.training.Predictions;
import org.llm4msr.runtime.UserError;

class SnapshotExportTest {
  private static final int[] ROWS = {0, 1, 2, 3, 4, 5};

  /** Four rows of web with labels 0, 1, 0, 1, and two of store with the given ones. */
  private static Dataset log(int first, int second) {
    DatasetBuilder builder =
        new DatasetBuilder("auc", "", List.of(new Scenario("web"), new Scenario("store")));
    int user = builder.user("u");
    int item = builder.item("i");
    for (int row = 0; row < 4; row++) {
      builder.row(user, item, 0, row % 2, Split.TEST, row);
    }
    builder.row(user, item, 1, first, Split.TEST, 4);
    builder.row(user, item, 1, second, Split.TEST, 5);
    builder.row(user, item, 0, 0, Split.TRAIN, 6);
    builder.row(user, item, 1, 1, Split.TRAIN, 7);
    builder.userIdField(1);
    return builder.build();
  }

  /** In web one of four pairs changes places, of all nine pairs one. */
  @Test
  void theLossIsThatOfTheScenarioThatLosesMost() {
    try (Dataset dataset = log(0, 1)) {
      double[] evaluated = {0.1, 0.6, 0.5, 0.9, 0.2, 0.8};
      double[] scored = {0.1, 0.5, 0.6, 0.9, 0.2, 0.8};
      AucLoss loss = SnapshotExport.aucLoss(new Predictions(dataset, ROWS, evaluated), scored);
      assertThat(loss.where()).isEqualTo("scenario 'web'");
      assertThat(loss.loss()).isCloseTo(0.25, within(1e-12));
      SnapshotExport.requireAuc(Precision.BF16, loss, 0.25);
      assertThatThrownBy(() -> SnapshotExport.requireAuc(Precision.BF16, loss, 0.2))
          .isInstanceOf(UserError.class)
          .hasMessageContaining("BF16 costs 0.25000 of the AUC of scenario 'web', expected at most")
          .hasMessageContaining("0.2;");
    }
  }

  @Test
  void withoutBothLabelsNobodyKnows() {
    try (Dataset dataset = log(1, 1)) {
      double[] probabilities = {0.1, 0.6, 0.5, 0.9, 0.2, 0.8};
      // Store has one label only: its AUC is not defined, that of all rows is.
      AucLoss loss =
          SnapshotExport.aucLoss(new Predictions(dataset, ROWS, probabilities), probabilities);
      assertThat(loss.loss()).isZero();
      Predictions none = new Predictions(dataset, new int[0], new double[0]);
      assertThat(SnapshotExport.aucLoss(none, new double[0])).isNull();
    }
    assertThatThrownBy(() -> SnapshotExport.requireAuc(Precision.INT8, null, 1))
        .isInstanceOf(UserError.class)
        .hasMessageContaining("leave out --int8");
  }
}
