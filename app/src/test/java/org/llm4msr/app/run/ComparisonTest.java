package org.llm4msr.app.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.llm4msr.app.data.ResultParts;
import org.llm4msr.app.run.Comparison.Arm;
import org.llm4msr.app.run.Comparison.Cost;
import org.llm4msr.app.run.Comparison.Key;
import org.llm4msr.app.run.Comparison.Measure;
import org.llm4msr.model.metrics.MetricsReport;
import org.llm4msr.model.metrics.MetricsReport.Values;
import org.llm4msr.model.recommender.backbone.BackboneKind;

class ComparisonTest {
  private static final double[] BASE = {0.70, 0.71, 0.72};

  private final Map<Key, RunMetrics> runs = new LinkedHashMap<>();
  private final Map<Key, Cost> costs = new LinkedHashMap<>();

  private void add(Arm arm, double... change) {
    for (int i = 0; i < BASE.length; i++) {
      Values values = new Values(BASE[i] + change[i], 0.5, 0.6, 0.01, 100);
      runs.put(
          new Key(BackboneKind.STAR, arm, i + 1),
          new RunMetrics(new MetricsReport(values, Map.of("shop", values)), Map.of()));
      costs.put(new Key(BackboneKind.STAR, arm, i + 1), new Cost(10, 1 + i));
    }
  }

  /** Figures by hand: quantiles and tails of Student's t with 2 degrees of freedom. */
  @Test
  void intervalsAndHolmsCorrection() {
    add(Arm.WITHOUT, 0, 0, 0);
    add(Arm.RANDOM, 0.001, 0.002, 0.003);
    add(Arm.WITH, 0.010, 0.011, 0.012);
    Comparison comparison =
        new Comparison(
            List.of(BackboneKind.STAR),
            List.of(Arm.WITHOUT, Arm.RANDOM, Arm.WITH),
            List.of(1L, 2L, 3L),
            runs,
            costs,
            "shop");
    Sample with =
        comparison.difference(BackboneKind.STAR, Arm.WITH, ResultParts.OVERALL, Measure.AUC);
    // mean 0.011, deviation 0.001, t(0.975, 2) = 4.302653.
    assertThat(with.low()).isCloseTo(0.011 - 4.302653 * 0.001 / Math.sqrt(3), within(1e-9));
    assertThat(with.high()).isCloseTo(0.011 + 4.302653 * 0.001 / Math.sqrt(3), within(1e-9));
    // With 2 degrees of freedom p = 1 - t / sqrt(t^2 + 2).
    double t = 0.011 / 0.001 * Math.sqrt(3);
    double p = 1 - t / Math.sqrt(t * t + 2);
    double tRandom = 0.002 / 0.001 * Math.sqrt(3);
    double pRandom = 1 - tRandom / Math.sqrt(tRandom * tRandom + 2);
    assertThat(holm(comparison, Arm.WITH)).isCloseTo(2 * p, within(1e-9));
    assertThat(holm(comparison, Arm.RANDOM)).isCloseTo(pRandom, within(1e-9));
    assertThat(holm(comparison, Arm.WITHOUT)).isNaN();
    Sample over =
        comparison.difference(
            BackboneKind.STAR, Arm.WITH, Arm.RANDOM, ResultParts.OVERALL, Measure.AUC);
    assertThat(over.mean()).isCloseTo(0.009, within(1e-12));
    // One model is measured against random vectors: nothing to correct.
    double holm =
        comparison.holm(
            BackboneKind.STAR, Arm.WITH, Arm.RANDOM, ResultParts.OVERALL, Measure.LOGLOSS);
    assertThat(holm).as("equal LogLoss leaves nothing to test").isNaN();
    assertThat(comparison.isMeasured(Arm.RANDOM, Arm.WITHOUT)).isTrue();
    assertThat(comparison.isMeasured(Arm.RANDOM, Arm.RANDOM)).isFalse();
    assertThat(comparison.isMeasured(Arm.WITHOUT, Arm.RANDOM)).isFalse();
    assertThat(comparison.seconds(BackboneKind.STAR, Arm.WITH).mean()).isEqualTo(2);
  }

  private static double holm(Comparison comparison, Arm arm) {
    return comparison.holm(BackboneKind.STAR, arm, Arm.WITHOUT, ResultParts.OVERALL, Measure.AUC);
  }
}
