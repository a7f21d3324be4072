package org.llm4msr.app.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import org.junit.jupiter.api.Test;

class SampleTest {
  /**
   * Darwin's maize, in inches: cross- less self-fertilised (Fisher 1935, The Design of
   * Experiments).
   */
  private static final Sample MAIZE =
      new Sample(
          new double[] {
            6.125, -8.375, 1, 2, 0.75, 2.875, 3.5, 5.125, 1.75, 3.625, 7, 3, 9.375, 7.5, -6
          });

  @Test
  void aPairedTTestGivesFishersFigures() {
    assertThat(MAIZE.mean()).isEqualTo(2.617, offset(0.001));
    assertThat(MAIZE.deviation() / Math.sqrt(15)).isEqualTo(1.218, offset(0.001));
    // t = 2.148 with 14 degrees of freedom.
    assertThat(MAIZE.tTest()).isEqualTo(0.0497, offset(0.0001));
  }

  @Test
  void wilcoxonsTestCountsEverySignPattern() {
    // All of six differences positive: 2 of the 64 sign patterns are as extreme.
    assertThat(new Sample(new double[] {1, 2, 3, 4, 5, 6}).wilcoxon())
        .isEqualTo(2.0 / 64, offset(1e-12));
    assertThat(new Sample(new double[] {1, 2, 3, 4, 5}).wilcoxon()).isNaN();
  }

  @Test
  void whatCannotBeTestedIsUndefined() {
    assertThat(new Sample(new double[] {1}).tTest()).isNaN();
    assertThat(new Sample(new double[] {1}).deviation()).isNaN();
    assertThat(new Sample(new double[] {0, 0, 0}).tTest()).isNaN();
    assertThat(new Sample(new double[] {1, Double.NaN, 2}).tTest()).isNaN();
  }
}
