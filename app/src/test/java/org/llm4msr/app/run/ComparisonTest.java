package org.llm4msr.app.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.llm4msr.app.data.ResultParts;
import org.llm4msr.app.run.Comparison.Arm;
import org.llm4msr.app.run.Comparison.Cost;
import org.llm4msr.app.run.Comparison.Key;
import org.llm4msr.app.run.Comparison.Measure;
import org.llm4msr.app.run.RunConfig.Environment;
import org.llm4msr.model.metrics.MetricsReport;
import org.llm4msr.model.metrics.MetricsReport.Values;
import org.llm4msr.model.recommender.backbone.BackboneKind;

class ComparisonTest {
  private static final double[] BASE = {0.70, 0.71, 0.72};

  private final Map<Key, RunMetrics> runs = new LinkedHashMap<>();
  private final Map<Key, Cost> costs = new LinkedHashMap<>();

  private void add(Arm arm, double... change) {
    add(BackboneKind.STAR, arm, change);
  }

  private void add(BackboneKind backbone, Arm arm, double... change) {
    for (int i = 0; i < BASE.length; i++) {
      Values values = new Values(BASE[i] + change[i], 0.5, 0.6, 0.01, 100);
      runs.put(
          new Key(backbone, arm, i + 1),
          new RunMetrics(new MetricsReport(values, Map.of("shop", values)), Map.of()));
      costs.put(new Key(backbone, arm, i + 1), new Cost(10, 1 + i));
    }
  }

  private Comparison comparison(List<BackboneKind> backbones, Arm... arms) {
    return new Comparison(
        backbones,
        List.of(arms),
        List.of(1L, 2L, 3L),
        runs,
        costs,
        "shop",
        new RunEnvironments(List.of()));
  }

  /** Figures by hand: quantiles and tails of Student's t with 2 degrees of freedom. */
  @Test
  void intervalsAndHolmsCorrection() {
    add(Arm.WITHOUT, 0, 0, 0);
    add(Arm.RANDOM, 0.001, 0.002, 0.003);
    add(Arm.WITH, 0.010, 0.011, 0.012);
    Comparison comparison =
        comparison(List.of(BackboneKind.STAR), Arm.WITHOUT, Arm.RANDOM, Arm.WITH);
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

  /** By hand: the mean AUC rises from 0.71 to 0.731, (0.231 / 0.21 - 1) * 100 = 10 %. */
  @Test
  void theCsvFileHoldsRelativeImprovementAndCost() {
    add(Arm.WITHOUT, 0, 0, 0);
    add(Arm.WITH, 0.020, 0.021, 0.022);
    Comparison comparison = comparison(List.of(BackboneKind.STAR), Arm.WITHOUT, Arm.WITH);
    List<String> lines = ComparisonTable.csv(comparison).lines().toList();
    List<String> names = List.of(lines.getFirst().split(","));
    int lastColumns = names.indexOf("relaimpr_percent");
    assertThat(names.subList(lastColumns, names.size()))
        .containsExactly("relaimpr_percent", "weights", "seconds");
    int found = 0;
    for (String line : lines.subList(1, lines.size())) {
      String[] fields = line.split(",", -1);
      assertThat(fields).hasSize(names.size());
      assertThat(fields[lastColumns + 1]).isEqualTo("10");
      assertThat(Double.parseDouble(fields[lastColumns + 2])).isEqualTo(2);
      if (line.startsWith("star,with,") && fields[names.indexOf("measure")].equals("auc")) {
        assertThat(Double.parseDouble(fields[lastColumns])).isCloseTo(10, within(1e-9));
        found++;
      } else {
        assertThat(fields[lastColumns]).isEmpty();
      }
    }
    assertThat(found).as("over all rows and in the shop").isEqualTo(2);
  }

  /** With LLM4MSR the second is the best, alone it is not. */
  @Test
  void theOverviewHasTheBestBackboneFirst() {
    add(BackboneKind.STAR, Arm.WITHOUT, 0.01, 0.01, 0.01);
    add(BackboneKind.STAR, Arm.WITH, 0.012, 0.011, 0.013);
    add(BackboneKind.PLE, Arm.WITHOUT, 0, 0, 0);
    add(BackboneKind.PLE, Arm.WITH, 0.020, 0.021, 0.022);
    add(BackboneKind.STAR, Arm.RANDOM, 0.001, 0.002, 0.003);
    add(BackboneKind.PLE, Arm.RANDOM, 0.001, 0.002, 0.003);
    Comparison comparison =
        comparison(List.of(BackboneKind.STAR, BackboneKind.PLE), Arm.WITHOUT, Arm.RANDOM, Arm.WITH);
    StringWriter text = new StringWriter();
    ComparisonTable.print(new PrintWriter(text), comparison);
    List<String> lines = text.toString().lines().toList();
    int head = lines.indexOf("backbones, best first");
    assertThat(head).isGreaterThan(lines.size() / 2);
    assertThat(lines.get(head + 1))
        .contains("AUC alone", "with LLM4MSR", "gain", "Holm", "over random", "weights", "seconds");
    assertThat(lines.get(head + 2))
        .startsWith("  ple")
        .contains("0.7100 ± 0.0100", "0.7310 ± 0.0110", "+0.0210", "+0.0190", " 10 ", " 2.0");
    assertThat(lines.get(head + 3)).startsWith("  star").contains("0.7200 ± 0.0100", "+0.0020");

    StringWriter one = new StringWriter();
    ComparisonTable.print(
        new PrintWriter(one), comparison(List.of(BackboneKind.PLE), Arm.WITHOUT, Arm.WITH));
    assertThat(one.toString()).doesNotContain("best first");
  }

  @Test
  void runsThatWereMadeDifferentlyAreToldApart() {
    Environment old = new Environment("1.0", "25", "Linux", "cpu", "C kernels, threads 2", 2);
    Environment other = new Environment("1.1", "25", "Linux", "cpu", "C kernels, threads 2", 2);
    Environment java = new Environment("1.0", "26", "Linux", "cpu", "C kernels, threads 2", 2);
    Environment wide = new Environment("1.0", "25", "Linux", "cpu", "C kernels, threads 4", 4);
    assertThat(new RunEnvironments(List.of(old, old, java)).warning()).isEmpty();
    assertThat(new RunEnvironments(List.of(old, other, old)).warning())
        .hasValueSatisfying(warning ->
            assertThat(warning)
                .contains("2 with version 1.0", "1 with version 1.1")
                .doesNotContain("\n"));
    assertThat(new RunEnvironments(List.of(old, wide)).warning())
        .hasValueSatisfying(warning -> assertThat(warning).contains("--threads 2", "--threads 4"));
  }
}
