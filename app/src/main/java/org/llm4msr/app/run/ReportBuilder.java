package org.llm4msr.app.run;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.llm4msr.app.data.ResultParts;
import org.llm4msr.app.report.ReportModel;
import org.llm4msr.app.report.ReportModel.Change;
import org.llm4msr.app.report.ReportModel.Curve;
import org.llm4msr.app.report.ReportModel.Epoch;
import org.llm4msr.app.report.ReportModel.Figure;
import org.llm4msr.app.report.ReportModel.Model;
import org.llm4msr.app.report.ReportModel.Part;
import org.llm4msr.app.report.ReportModel.Reading;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Row;
import org.llm4msr.app.report.ReportModel.Scores;
import org.llm4msr.app.report.ReportModel.Setting;
import org.llm4msr.app.report.ReportModel.Side;
import org.llm4msr.app.report.ReportWriter;
import org.llm4msr.app.report.UserMap;
import org.llm4msr.app.run.Comparison.Arm;
import org.llm4msr.app.run.Comparison.Key;
import org.llm4msr.app.run.Comparison.Measure;
import org.llm4msr.app.run.ModelSettings.MetaLevels;
import org.llm4msr.model.checkpoint.FileErrors;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Scenario;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.metrics.MetricsReport.Values;
import org.llm4msr.model.prompt.PromptIds;
import org.llm4msr.model.recommender.backbone.BackboneKind;
import org.llm4msr.model.training.HistoryEntry;
import org.llm4msr.model.training.KnowledgeVectors;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.model.training.StopMetric;

/** Makes {@code report.html} of runs and comparisons. */
public final class ReportBuilder {
  private static final List<String> LIMITS =
      List.of(
          "Offline figures on one split of one log: another split may move them.",
          "AUC and LogLoss are no revenue: only an experiment with users shows what a change is"
              + " worth.");

  private final TrainingInputs inputs;
  private final Dataset dataset;
  private final long[][] counts;
  private final List<String> scenarios;

  public ReportBuilder(TrainingInputs inputs) {
    this.inputs = inputs;
    dataset = inputs.dataset();
    scenarios = dataset.scenarios().stream().map(Scenario::name).toList();
    // Train rows, test rows and test positives of each scenario.
    counts = new long[3][scenarios.size()];
    for (int row = 0; row < dataset.rows(); row++) {
      int scenario = dataset.scenario(row);
      switch (dataset.split(row)) {
        case TRAIN -> counts[0][scenario]++;
        case TEST -> {
          counts[1][scenario]++;
          counts[2][scenario] += dataset.label(row);
        }
        case VALID, UNUSED -> {}
      }
    }
  }

  /**
   * Of one run.
   *
   * @param reading what its model leans on, or null for a report without
   */
  ReportModel run(
      RunConfig config, RunMetrics metrics, List<HistoryEntry> history, ModelReading reading) {
    boolean with = config.model().meta() != MetaLevels.OFF;
    String backbone = name(config.model().backbone());
    List<Row> rows = new ArrayList<>();
    for (String scenario : scenarios) {
      Scores scores = scores(metrics.report().scenarios().get(scenario));
      rows.add(row(scenario, with ? null : scores, with ? scores : null, Double.NaN));
    }
    Scores overall = scores(metrics.report().overall());
    Row all = row(ResultParts.OVERALL, with ? null : overall, with ? overall : null, Double.NaN);
    Side side = with ? Side.WITH : Side.WITHOUT;
    List<Curve> curves = new ArrayList<>();
    addCurve(curves, backbone, side, config, history);
    String model = backbone + (with ? " with LLM4MSR" : " alone");
    return new ReportModel(
        "Training of " + model,
        dataLine(),
        List.of(),
        List.of(new Result(backbone, rows, all)),
        curves,
        reading == null ? List.of() : List.of(new Reading(model, reading, scenarios)),
        with ? userMap() : null,
        settings(config, Long.toString(config.training().seed())),
        LIMITS);
  }

  /** Of a comparison. */
  public ReportModel comparison(String title, Comparison comparison, ComparisonRuns runs) {
    List<Result> results = new ArrayList<>();
    List<Curve> curves = new ArrayList<>();
    List<Reading> readings = new ArrayList<>();
    boolean compares = comparison.main() == Arm.WITH;
    for (BackboneKind backbone : comparison.ranked()) {
      List<Row> rows = new ArrayList<>();
      scenarios.forEach(scenario -> rows.add(row(comparison, backbone, scenario)));
      Row overall = row(comparison, backbone, ResultParts.OVERALL);
      results.add(
          new Result(
              name(backbone),
              comparison.seeds().size(),
              rows,
              overall,
              models(comparison, backbone, ResultParts.OVERALL),
              parts(comparison, backbone, scenarios),
              parts(comparison, backbone, comparison.slices())));
      for (long seed : comparison.seeds()) {
        for (Side side : compares ? Side.values() : new Side[] {Side.WITHOUT}) {
          Arm arm = side == Side.WITH ? Arm.WITH : Arm.WITHOUT;
          RunDirectory directory = runs.directory(new Key(backbone, arm, seed));
          addCurve(curves, name(backbone), side, directory.config(), directory.history());
        }
      }
      if (compares) {
        Key key = new Key(backbone, Arm.WITH, comparison.seeds().getFirst());
        String model = name(backbone) + " with LLM4MSR, seed " + key.seed();
        readings.add(new Reading(model, runs.reading(key), scenarios));
      }
    }
    Arm last = compares ? Arm.WITH : Arm.WITHOUT;
    BackboneKind first = comparison.backbones().getFirst();
    long seed = comparison.seeds().getFirst();
    List<String> notices = new ArrayList<>();
    comparison.environments().warning().ifPresent(notices::add);
    addFinding(notices, comparison);
    return new ReportModel(
        title,
        dataLine(),
        notices,
        results,
        curves,
        readings,
        compares ? userMap() : null,
        settings(
            runs.directory(new Key(first, last, seed)).config(),
            seed + " to " + comparison.seeds().getLast()),
        LIMITS);
  }

  /** What a slice says of the only backbone; several have a table of their own in front. */
  private static void addFinding(List<String> notices, Comparison comparison) {
    BackboneKind backbone = comparison.backbones().getFirst();
    if (comparison.backbones().size() > 1 || comparison.main() != Arm.WITH) {
      return;
    }
    double thin =
        comparison.difference(backbone, Arm.WITH, ResultParts.THIN_USERS, Measure.AUC).mean();
    if (Double.isFinite(thin)) {
      notices.add(
          "%s: on the test rows of users with fewer than %d training rows LLM4MSR changes the AUC by %s."
              .formatted(name(backbone), ResultParts.THIN_ROWS, ComparisonTable.signed(thin)));
    }
  }

  /**
   * Writes a report.
   *
   * @throws org.llm4msr.runtime.UserError if it cannot be written
   */
  public static void write(ReportModel model, Path file) {
    try {
      ReportWriter.write(model, file);
    } catch (IOException e) {
      throw FileErrors.writing(file, e);
    }
  }

  private Row row(Comparison comparison, BackboneKind backbone, String part) {
    Scores with = null;
    double p = Double.NaN;
    if (comparison.arms().contains(Arm.WITH)) {
      with = scores(comparison, backbone, Arm.WITH, part);
      p = comparison.holm(backbone, Arm.WITH, Arm.WITHOUT, part, Measure.AUC);
    }
    return row(part, scores(comparison, backbone, Arm.WITHOUT, part), with, p);
  }

  private Row row(String part, Scores without, Scores with, double p) {
    int scenario = scenarios.indexOf(part);
    long[] sizes = new long[counts.length];
    for (int i = 0; i < counts.length; i++) {
      for (int s = 0; s < scenarios.size(); s++) {
        sizes[i] += scenario < 0 || scenario == s ? counts[i][s] : 0;
      }
    }
    return new Row(part, sizes[0], sizes[1], sizes[2], without, with, p);
  }

  private static Scores scores(Comparison comparison, BackboneKind backbone, Arm arm, String part) {
    Sample auc = comparison.sample(backbone, arm, part, Measure.AUC);
    return new Scores(
        auc.mean(),
        auc.deviation(),
        comparison.sample(backbone, arm, part, Measure.LOGLOSS).mean(),
        comparison.sample(backbone, arm, part, Measure.GAUC).mean());
  }

  private static List<Part> parts(
      Comparison comparison, BackboneKind backbone, List<String> names) {
    return names.stream()
        .map(name ->
            new Part(
                title(comparison, name), comparison.rows(name), models(comparison, backbone, name)))
        .toList();
  }

  /** A part's name in words; a scenario's is its own. */
  private static String title(Comparison comparison, String part) {
    if (!comparison.slices().contains(part)) {
      return part;
    }
    return part.equals(ResultParts.SPARSEST_SCENARIO)
        ? "sparsest scenario, " + comparison.sparsest()
        : part.replace('_', ' ');
  }

  private static List<Model> models(Comparison comparison, BackboneKind backbone, String part) {
    return comparison.arms().stream().map(arm -> model(comparison, backbone, arm, part)).toList();
  }

  private static Change change(
      Comparison comparison,
      BackboneKind backbone,
      Arm arm,
      Arm base,
      String part,
      Measure measure) {
    return comparison
        .change(backbone, arm, base, part, measure)
        .map(change -> {
          Sample difference = change.difference();
          return new Change(difference.mean(), difference.low(), difference.high(), change.holm());
        })
        .orElse(Change.NONE);
  }

  private static Model model(Comparison comparison, BackboneKind backbone, Arm arm, String part) {
    return new Model(
        arm.title(),
        switch (arm) {
          case WITHOUT -> Side.WITHOUT;
          case WITH -> Side.WITH;
          default -> null;
        },
        figure(comparison, backbone, arm, part, Measure.AUC),
        arm == Arm.WITHOUT ? Double.NaN : comparison.relaImpr(backbone, arm, part),
        figure(comparison, backbone, arm, part, Measure.LOGLOSS),
        figure(comparison, backbone, arm, part, Measure.GAUC),
        figure(comparison, backbone, arm, part, Measure.CALIBRATION_ERROR),
        comparison.weights(backbone, arm),
        comparison.seconds(backbone, arm).mean());
  }

  private static Figure figure(
      Comparison comparison, BackboneKind backbone, Arm arm, String part, Measure measure) {
    Sample sample = comparison.sample(backbone, arm, part, measure);
    return new Figure(
        sample.mean(),
        sample.deviation(),
        change(comparison, backbone, arm, Arm.WITHOUT, part, measure),
        change(comparison, backbone, arm, Arm.RANDOM, part, measure));
  }

  private static Scores scores(Values values) {
    return new Scores(values.auc(), Double.NaN, values.logLoss(), values.gauc());
  }

  private static void addCurve(
      List<Curve> curves,
      String backbone,
      Side side,
      RunConfig config,
      List<HistoryEntry> history) {
    List<Epoch> epochs =
        history.stream().map(entry -> new Epoch(entry.trainLoss(), entry.validAuc())).toList();
    int best = StopMetric.best(history);
    if (best >= 0) {
      curves.add(new Curve(backbone, side, "seed " + config.training().seed(), epochs, best));
    }
  }

  private UserMap userMap() {
    KnowledgeVectors knowledge = inputs.knowledge();
    List<float[]> vectors = new ArrayList<>();
    List<long[]> rows = new ArrayList<>();
    long[][] rowsOfUser = new long[dataset.users()][scenarios.size()];
    for (int row : dataset.rowsOf(Split.TRAIN)) {
      rowsOfUser[dataset.user(row)][dataset.scenario(row)]++;
    }
    for (int user = 0; user < dataset.users(); user++) {
      float[] vector = new float[knowledge.width()];
      if (knowledge.read(PromptIds.user(dataset, Folds.NONE, user), vector)) {
        vectors.add(vector);
        rows.add(rowsOfUser[user]);
      }
    }
    return UserMap.of(vectors.toArray(float[][]::new), rows.toArray(long[][]::new), scenarios);
  }

  private String dataLine() {
    return String.format(
        Locale.ROOT,
        "%s: %,d rows, %,d users, %,d items, %d scenarios; %,d rows to train on, %,d to test",
        dataset.name(),
        dataset.rows(),
        dataset.users(),
        dataset.items(),
        scenarios.size(),
        dataset.count(Split.TRAIN),
        dataset.count(Split.TEST));
  }

  private static String name(BackboneKind backbone) {
    return backbone.name().toLowerCase(Locale.ROOT);
  }

  /** The configuration, one setting a line as in {@code config.yaml}. */
  private static List<Setting> settings(RunConfig config, String seeds) {
    List<Setting> settings = new ArrayList<>();
    settings.add(new Setting("seeds", seeds));
    config.flat().forEach((name, value) -> settings.add(new Setting(name, value)));
    return settings;
  }
}
