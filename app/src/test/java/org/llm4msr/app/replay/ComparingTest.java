package org.llm4msr.app.replay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class ComparingTest {
  /** Mean 2.5, deviation 1.290994, t of 3 degrees of freedom 3.182446. */
  @Test
  void clustersOfOneGiveTheUsualInterval() {
    ClusteredMean mean = new ClusteredMean();
    for (int i = 1; i <= 4; i++) {
      mean.add("u" + i, i);
    }
    mean.add("u9", Double.NaN);
    Interval interval = mean.interval();
    assertThat(interval.requests()).isEqualTo(4);
    assertThat(interval.mean()).isEqualTo(2.5);
    assertThat(interval.high() - interval.mean()).isCloseTo(3.182446 * 1.290994 / 2, within(1e-5));
    assertThat(interval.mean() - interval.low()).isCloseTo(3.182446 * 1.290994 / 2, within(1e-5));
  }

  /** Who says everything five times has not said more. */
  @Test
  void repetitionsOfAUserMakeNothingSurer() {
    ClusteredMean once = new ClusteredMean();
    ClusteredMean often = new ClusteredMean();
    for (int user = 0; user < 7; user++) {
      double value = Math.sin(user);
      once.add("u" + user, value);
      for (int i = 0; i < 5; i++) {
        often.add("u" + user, value);
      }
    }
    assertThat(often.interval().low()).isCloseTo(once.interval().low(), within(1e-12));
    assertThat(often.interval().high()).isCloseTo(once.interval().high(), within(1e-12));
  }

  @Test
  void oneUserHasNoInterval() {
    ClusteredMean mean = new ClusteredMean();
    assertThat(mean.interval().mean()).isNaN();
    mean.add("u", 1);
    mean.add("u", 2);
    assertThat(mean.interval().mean()).isEqualTo(1.5);
    assertThat(mean.interval().low()).isNaN();
  }

  @Test
  void firstItems() {
    double[] a = {0.9, 0.1, 0.8, 0.5};
    double[] b = {0.2, 0.3, 0.9, 0.1};
    // Of a 0 and 2, of b 2 and 1.
    assertThat(Comparing.topShare(a, b, 2)).isEqualTo(0.5);
    assertThat(Comparing.topShare(a, b, 1)).isZero();
    assertThat(Comparing.topShare(a, b, 10)).isEqualTo(1);
    assertThat(Comparing.topShare(new double[] {1, 1}, new double[] {2, 2}, 1)).isEqualTo(1);
    assertThat(Comparing.topShare(new double[0], new double[0], 3)).isNaN();
  }

  /** Of six pairs four agree in their order. */
  @Test
  void ranksAndLabels() {
    double[] a = {1, 2, 3, 4};
    double[] b = {2, 1, 3, 2.5};
    assertThat(Comparing.rankCorrelation(a, b)).isCloseTo((4 - 2) / 6.0, within(1e-12));
    assertThat(Comparing.rankCorrelation(new double[] {1}, new double[] {1})).isNaN();
    assertThat(Comparing.aucDifference(a, b, new byte[] {0, 0, 0, 1}))
        .isCloseTo(1 - 2 / 3.0, within(1e-12));
    assertThat(Comparing.aucDifference(a, b, null)).isNaN();
    assertThat(Comparing.meanDifference(a, b)).isCloseTo((-1 + 1 + 0 + 1.5) / 4, within(1e-12));
    assertThat(Comparing.meanDistance(a, b)).isCloseTo(3.5 / 4, within(1e-12));
  }
}
