package org.llm4msr.app.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.llm4msr.app.report.ReportModel.Curve;
import org.llm4msr.app.report.ReportModel.Epoch;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Row;
import org.llm4msr.app.report.ReportModel.Scores;
import org.llm4msr.app.report.ReportModel.Setting;
import org.llm4msr.app.report.ReportModel.Side;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.model.training.ModelReading.Fusion;
import org.llm4msr.model.training.ModelReading.Importance;
import org.llm4msr.model.training.ModelReading.Input;
import org.llm4msr.model.training.ModelReading.Loss;
import org.llm4msr.model.training.ModelReading.Part;
import org.llm4msr.model.training.ModelReading.Spread;
import org.llm4msr.model.training.ModelReading.UserSpread;

/** Invented numbers in the shape of a real report, for tests and for looking at the page. */
final class SampleReport {
  private SampleReport() {}

  /** A comparison over {@code scenarios} scenarios whose last one gains most. */
  static ReportModel of(int scenarios, double gain, double pValue, List<String> backbones) {
    Random random = new Random(5);
    List<Result> results = new ArrayList<>();
    List<Curve> curves = new ArrayList<>();
    for (String backbone : backbones) {
      List<Row> rows = new ArrayList<>();
      for (int s = 0; s < scenarios; s++) {
        double base = 0.70 + 0.05 * random.nextDouble();
        double lift = gain * (s + 1) / scenarios;
        rows.add(
            new Row(
                "scenario_" + s,
                90_000 / (s * s + 1),
                9_000 / (s + 1),
                2_500 / (s + 1),
                new Scores(base, 0.0021, 0.5301, base - 0.03),
                new Scores(base + lift, 0.0018, 0.5301 - lift / 2, base + lift - 0.03),
                s == scenarios - 1 ? 0.0004 : pValue));
      }
      Row overall =
          new Row(
              "overall",
              160_000,
              20_000,
              6_100,
              new Scores(0.7412, 0.0012, 0.5301, 0.7011),
              new Scores(0.7412 + gain, 0.0010, 0.5301 - gain / 2, 0.7011 + gain),
              pValue);
      results.add(new Result(backbone, 5, rows, overall, List.of(), List.of(), List.of()));
      for (int seed = 1; seed <= 5; seed++) {
        for (Side side : Side.values()) {
          List<Epoch> epochs = new ArrayList<>();
          double end = side == Side.WITH ? 0.75 : 0.74;
          for (int e = 0; e < 6 + seed % 3; e++) {
            epochs.add(
                new Epoch(
                    0.47 + 0.12 / (e + 1) + 0.003 * random.nextGaussian(),
                    end - 0.09 / (e + 1) - 0.001 * e + 0.0015 * random.nextGaussian()));
          }
          curves.add(new Curve(backbone, side, "seed " + seed, epochs, epochs.size() - 3));
        }
      }
    }
    List<String> names = results.getFirst().scenarios().stream().map(Row::name).toList();
    float[][] vectors = new float[1_200][24];
    long[][] counts = new long[vectors.length][scenarios];
    for (int u = 0; u < vectors.length; u++) {
      int habit = random.nextInt(scenarios);
      counts[u][habit] = 5;
      for (int j = 0; j < vectors[u].length; j++) {
        vectors[u][j] = (float) ((j == habit ? 3 : 0) + random.nextGaussian());
      }
    }
    return new ReportModel(
        "LLM4MSR on the demo company",
        "200,000 impressions, 4,000 users, 1,500 items, " + scenarios + " scenarios; split by time",
        List.of(
            "The data is synthetic: made up by a seeded generator.",
            "The built-in encoder's vectors tell texts apart but hold no knowledge."),
        results,
        curves,
        List.of(),
        UserMap.of(vectors, counts, names),
        List.of(
            new Setting("seed", "1 to 5"),
            new Setting("batch size", "4096"),
            new Setting("learning rate", "0.001"),
            new Setting("weight decay", "0.0001"),
            new Setting("fusion", "alpha"),
            new Setting("pooling", "mean_prompt"),
            new Setting("Java", "25.0.3"),
            new Setting("command", "./llm4msr demo --out demo-out")),
        List.of(
            "Five seeds of one split: another split may move these numbers.",
            "Offline AUC is not revenue."));
  }

  /**
   * What a model leans on: a field, the users' knowledge (more in the second scenario), a gate, and
   * layers that differ by 0.5 between two scenarios.
   *
   * @param first name of the first scenario; the second is {@code b}
   */
  static ModelReading reading(String first) {
    List<Part> parts =
        List.of(
            new Part("all", 300, 0.7),
            new Part(first, 200, 0.72),
            new Part("b", 100, 0.65),
            new Part("users with 0 training rows", 0, Double.NaN),
            new Part("users with 100 or more training rows", 300, 0.7));
    Loss none = new Loss(Double.NaN, Double.NaN);
    Loss field = new Loss(0.02, 0.002);
    Loss small = new Loss(0.005, 0.001);
    Loss large = new Loss(0.04, 0.004);
    List<Importance> importances =
        List.of(
            new Importance(Input.FIELD, "colour", List.of(field, field, field, none, field)),
            new Importance(
                Input.USER_KNOWLEDGE,
                "knowledge of the user",
                List.of(small, new Loss(-0.01, 0.001), large, none, small)));
    Spread undefined = new Spread(Double.NaN, Double.NaN, Double.NaN, Double.NaN, Double.NaN);
    Spread narrow = new Spread(0.1, 0.15, 0.2, 0.25, 0.3);
    Spread wide = new Spread(0.1, 0.3, 0.5, 0.7, 0.9);
    Fusion fusion =
        new Fusion(
            true,
            List.of(0.3, 0.21, 0.5, Double.NaN, 0.3),
            List.of(narrow, narrow, wide, undefined, narrow),
            List.of());
    double[][] distances = {{0, 0.5}, {0.5, 0}};
    return new ModelReading(5, parts, importances, fusion, distances, new UserSpread(90, wide));
  }
}
