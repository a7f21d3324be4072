package org.llm4msr.model.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MetricsTest {
  /** The definition, pair by pair. */
  private static double pairwiseAuc(double[] scores, byte[] labels) {
    double wins = 0;
    long pairs = 0;
    for (int i = 0; i < labels.length; i++) {
      for (int j = 0; j < labels.length; j++) {
        if (labels[i] == 1 && labels[j] == 0) {
          pairs++;
          wins += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
        }
      }
    }
    return wins / pairs;
  }

  @Test
  void aucCountsPairsAndHalvesTies() {
    Random random = new Random(1);
    for (int round = 0; round < 50; round++) {
      int rows = 2 + random.nextInt(60);
      double[] scores = new double[rows];
      byte[] labels = new byte[rows];
      for (int row = 0; row < rows; row++) {
        int draw = random.nextInt(8) - 3;
        scores[row] = draw == 0 ? (random.nextBoolean() ? 0.0 : -0.0) : draw / 4.0;
        labels[row] = (byte) random.nextInt(2);
      }
      labels[0] = 0;
      labels[1] = 1;
      assertThat(Auc.of(scores, labels)).isCloseTo(pairwiseAuc(scores, labels), within(1e-14));
    }
  }

  @Test
  void aucOrdersInfiniteScores() {
    double[] scores = {Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY};
    assertThat(Auc.of(scores, new byte[] {0, 1})).isEqualTo(1);
    assertThat(Auc.of(scores, new byte[] {1, 0})).isEqualTo(0);
  }

  @Test
  void gaucGroupsAnyUserIds() {
    double[] scores = {0.1, 0.9, 0.8, 0.3, 0.2, 0.5};
    byte[] labels = {0, 1, 0, 1, 0, 1};
    int[] users = {-5, Integer.MAX_VALUE, Integer.MAX_VALUE, -5, Integer.MIN_VALUE, 0};
    Gauc gauc = Gauc.of(scores, labels, users);
    assertThat(gauc.users()).isEqualTo(2);
    assertThat(gauc.unweighted()).isEqualTo(1);
  }

  @Test
  void calibrationErrorComparesBinsOfEqualSize() {
    double[] probabilities = {0.9, 0.1, 0.8, 0.3};
    byte[] labels = {1, 0, 0, 1};
    // Bins {0.1, 0.3}: mean 0.2 against 1/2; {0.8, 0.9}: 0.85 against 1/2.
    assertThat(CalibrationError.of(probabilities, labels, 2)).isCloseTo(0.325, within(1e-12));
    assertThat(CalibrationError.of(probabilities, labels, 1)).isCloseTo(0.025, within(1e-12));
    // More bins than rows: each row for itself.
    assertThat(CalibrationError.of(probabilities, labels, 9)).isCloseTo(0.425, within(1e-12));
    assertThat(CalibrationError.of(new double[0], new byte[0], 3)).isNaN();
  }

  @Test
  void handlesAMillionRows() {
    int rows = 1_000_000;
    double[] scores = new double[rows];
    byte[] labels = new byte[rows];
    int[] users = new int[rows];
    for (int row = 0; row < rows; row++) {
      scores[row] = (row + 0.5) / rows;
      labels[row] = (byte) (row >= rows / 2 ? 1 : 0);
      users[row] = row % 1000;
    }
    assertThat(Auc.of(scores, labels)).isEqualTo(1);
    assertThat(Gauc.of(scores, labels, users).unweighted()).isCloseTo(1, within(1e-12));
  }

  @Test
  void emptyRowsAreUndefined() {
    assertThat(Auc.of(new double[0], new byte[0])).isNaN();
    assertThat(LogLoss.of(new double[0], new byte[0], 1e-7)).isNaN();
    assertThat(Gauc.of(new double[0], new byte[0], new int[0]).byImpressions()).isNaN();
    assertThat(RelaImpr.percent(0.7, 0.5)).isNaN();
    assertThat(RelaImpr.percent(Double.NaN, 0.6)).isNaN();
  }

  @Test
  void refusesWhatIsNoProbabilityOrLabel() {
    assertThatThrownBy(() -> Auc.of(new double[] {Double.NaN}, new byte[] {1}))
        .hasMessageContaining("row 0");
    assertThatThrownBy(() -> Auc.of(new double[] {0.5}, new byte[] {2}))
        .hasMessageContaining("expected 0 or 1");
    assertThatThrownBy(() -> LogLoss.of(new double[] {1.5}, new byte[] {1}, 1e-7))
        .hasMessageContaining("expected 0 to 1");
    assertThatThrownBy(() -> LogLoss.of(new double[] {0.5}, new byte[] {1}, 0.7))
        .hasMessageContaining("clip");
    assertThatThrownBy(() -> Gauc.of(new double[] {0.5}, new byte[] {1}, new int[2]))
        .hasMessageContaining("2 user ids");
    assertThatThrownBy(() ->
            MetricsReport.of(
                new double[] {0.5}, new byte[] {1}, new int[1], new int[] {3}, List.of("a")))
        .hasMessageContaining("scenario id 3");
  }
}
