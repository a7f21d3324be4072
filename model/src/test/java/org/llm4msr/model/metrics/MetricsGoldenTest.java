package org.llm4msr.model.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.model.TestFiles;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.model.checkpoint.StrictJson;
import tools.jackson.databind.JsonNode;

/** Against values that another implementation computed. */
class MetricsGoldenTest {
  private static final double TOLERANCE = 1e-12;
  private static final Path FOLDER = TestFiles.resource("golden/metrics");
  private static final JsonNode EXPECTED =
      StrictJson.readObject(FOLDER.resolve("expected.json"), 1_000_000);

  @ParameterizedTest
  @ValueSource(
      strings = {
        "smooth",
        "heavy_ties",
        "tiny_groups",
        "all_equal",
        "one_class",
        "perfect",
        "float32_preds_6k"
      })
  void agreesWithTheGolden(String name) {
    JsonNode expected = EXPECTED.get(name);
    try (Safetensors file = Safetensors.open(FOLDER.resolve("metrics.safetensors"))) {
      double[] predictions = doubles(file, name + "/pred");
      byte[] labels = new byte[predictions.length];
      int[] labelInts = ints(file, name + "/label");
      IntStream.range(0, labels.length).forEach(row -> labels[row] = (byte) labelInts[row]);
      int[] users = ints(file, name + "/user");
      int[] scenarios = ints(file, name + "/scenario");

      assertThat(labels).hasSize(expected.get("n").intValue());
      check(Auc.of(predictions, labels), expected.get("auc"));
      check(LogLoss.of(predictions, labels, 1e-15), expected.get("logloss_eps1e15"));
      check(LogLoss.of(predictions, labels, 1e-7), expected.get("logloss_eps1e7"));
      Gauc gauc = Gauc.of(predictions, labels, users);
      check(gauc.byImpressions(), expected.get("gauc_impressions"));
      check(gauc.byClicks(), expected.get("gauc_clicks"));
      check(gauc.unweighted(), expected.get("gauc_mean"));
      assertThat(gauc.users()).isEqualTo(expected.get("gauc_groups_used").intValue());
      checkScenarios(predictions, labels, users, scenarios, expected.get("per_scenario"));

      if (expected.has("base_auc")) {
        double base = Auc.of(doubles(file, name + "/base_pred"), labels);
        check(base, expected.get("base_auc"));
        double percent = RelaImpr.percent(Auc.of(predictions, labels), base);
        // A percentage of a few hundred: the tolerance is relative.
        assertThat(percent / expected.get("rela_impr_percent").doubleValue())
            .isCloseTo(1, within(TOLERANCE));
      }
    }
  }

  private static void checkScenarios(
      double[] predictions, byte[] labels, int[] users, int[] scenarios, JsonNode expected) {
    MetricsReport report =
        MetricsReport.of(
            predictions, labels, users, scenarios, expected.propertyNames().stream().toList());
    for (String scenario : expected.propertyNames()) {
      MetricsReport.Values values = report.scenarios().get(scenario);
      assertThat(values.rows()).isEqualTo(expected.get(scenario).get("n").longValue());
      check(values.auc(), expected.get(scenario).get("auc"));
      double[] own = rowsOf(predictions, scenarios, scenario);
      double[] ownLabels =
          rowsOf(
              IntStream.range(0, labels.length).mapToDouble(row -> labels[row]).toArray(),
              scenarios,
              scenario);
      byte[] ownBytes = new byte[ownLabels.length];
      IntStream.range(0, own.length).forEach(row -> ownBytes[row] = (byte) ownLabels[row]);
      check(LogLoss.of(own, ownBytes, 1e-15), expected.get(scenario).get("logloss_eps1e15"));
    }
  }

  private static double[] rowsOf(double[] values, int[] scenarios, String scenario) {
    return IntStream.range(0, values.length)
        .filter(row -> scenarios[row] == Integer.parseInt(scenario))
        .mapToDouble(row -> values[row])
        .toArray();
  }

  @Test
  void relativeImprovementAgreesWithTheGolden() {
    for (JsonNode expected : EXPECTED.get("rela_impr_only")) {
      assertThat(
              RelaImpr.percent(
                  expected.get("auc").doubleValue(), expected.get("base").doubleValue()))
          .isCloseTo(expected.get("percent").doubleValue(), within(1e-9));
    }
  }

  @Test
  void undefinedValuesAreAbsentFromJson() {
    MetricsReport report =
        MetricsReport.of(
            new double[] {0.25, 0.5},
            new byte[] {1, 1},
            new int[] {7, 7},
            new int[] {1, 1},
            List.of("web", "shop"));
    JsonNode json = report.toJson();
    assertThat(json.get("overall").propertyNames())
        .containsExactlyInAnyOrder("logloss", "calibration_error", "rows");
    assertThat(json.get("scenarios").get("web").propertyNames()).containsExactly("rows");
    assertThat(json.get("scenarios").get("shop").get("logloss").doubleValue())
        .isCloseTo((2 * Math.log(2) + Math.log(2)) / 2, within(TOLERANCE));
  }

  private static void check(double value, JsonNode expected) {
    if (expected.isNull()) {
      assertThat(value).isNaN();
    } else {
      assertThat(value).isCloseTo(expected.doubleValue(), within(TOLERANCE));
    }
  }

  private static double[] doubles(Safetensors file, String name) {
    return file.tensor(name).data().toArray(ValueLayout.JAVA_DOUBLE_UNALIGNED);
  }

  private static int[] ints(Safetensors file, String name) {
    long[] longs = file.tensor(name).data().toArray(ValueLayout.JAVA_LONG_UNALIGNED);
    return IntStream.range(0, longs.length).map(i -> Math.toIntExact(longs[i])).toArray();
  }
}
