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
      results.add(new Result(backbone, 5, rows, overall, List.of(), List.of()));
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
}
