package org.llm4msr.app.report;

import java.util.List;
import java.util.Optional;
import org.llm4msr.model.training.ModelReading;

/**
 * Everything that a report shows; plain values, so that any command can fill it. A number that is
 * undefined (the AUC of one class, a p-value from one seed) is {@link Double#NaN} and shown as a
 * dash.
 *
 * @param title what was done, for the heading
 * @param data what it was done on, in one line
 * @param notices what the reader must know before believing a number: data that is synthetic, an
 *     encoder that knows nothing
 * @param results one entry per backbone, at least one
 * @param curves one entry per training run, possibly none
 * @param readings what models lean on, possibly none
 * @param userMap the user vectors in two dimensions, or null where there are none
 * @param settings everything needed to repeat it, versions included
 * @param limits what the numbers do not show
 */
public record ReportModel(
    String title,
    String data,
    List<String> notices,
    List<Result> results,
    List<Curve> curves,
    List<Reading> readings,
    UserMap userMap,
    List<Setting> settings,
    List<String> limits) {

  /**
   * @throws IllegalArgumentException if there is no result, or one has neither or not the same
   *     sides as the others
   */
  public ReportModel {
    notices = List.copyOf(notices);
    results = List.copyOf(results);
    curves = List.copyOf(curves);
    readings = List.copyOf(readings);
    settings = List.copyOf(settings);
    limits = List.copyOf(limits);
    if (results.isEmpty()) {
      throw new IllegalArgumentException("a report needs at least one result");
    }
  }

  /** Which side of the comparison a figure or a run belongs to. */
  public enum Side {
    WITHOUT,
    WITH
  }

  /**
   * Test metrics of one backbone, means over the seeds.
   *
   * @param backbone its name, such as {@code star}
   * @param seeds number of runs behind each mean
   * @param scenarios one row per scenario, at least one
   * @param overall all scenarios together
   * @param models everything that was compared, over all test rows; empty for a single run
   * @param byScenario the same on the test rows of each scenario; empty for a single run
   * @param slices the same on other parts of the test rows; empty for a single run
   */
  public record Result(
      String backbone,
      int seeds,
      List<Row> scenarios,
      Row overall,
      List<Model> models,
      List<Part> byScenario,
      List<Part> slices) {
    public Result {
      scenarios = List.copyOf(scenarios);
      models = List.copyOf(models);
      byScenario = List.copyOf(byScenario);
      slices = List.copyOf(slices);
      if (seeds < 1 || scenarios.isEmpty()) {
        throw new IllegalArgumentException(backbone + ": no seed or no scenario");
      }
    }

    /** Of a single run. */
    public Result(String backbone, List<Row> scenarios, Row overall) {
      this(backbone, 1, scenarios, overall, List.of(), List.of(), List.of());
    }

    /** The model of a side, over all test rows; empty where it was not compared. */
    Optional<Model> model(Side side) {
      return models.stream().filter(model -> model.side() == side).findFirst();
    }

    /** Whether both sides were measured, so that there is a difference to show. */
    public boolean compares() {
      return overall.without() != null && overall.with() != null;
    }
  }

  /**
   * A part of the test rows, such as a scenario, and everything that was compared on it.
   *
   * @param name in words
   * @param rows how many test rows
   */
  public record Part(String name, long rows, List<Model> models) {
    public Part {
      models = List.copyOf(models);
    }
  }

  /**
   * A paired difference between two models over the seeds.
   *
   * @param mean not a number where there is nothing to compare
   * @param low lower end of its 95 % interval
   * @param high upper end
   * @param pValue two-sided p-value, corrected for all models compared
   */
  public record Change(double mean, double low, double high, double pValue) {
    /** Nothing to compare. */
    public static final Change NONE = new Change(Double.NaN, Double.NaN, Double.NaN, Double.NaN);
  }

  /**
   * A measure of one model.
   *
   * @param mean over the seeds
   * @param deviation standard deviation over the seeds
   * @param change against the backbone alone
   * @param overRandom against random vectors
   */
  public record Figure(double mean, double deviation, Change change, Change overRandom) {}

  /**
   * A model or a control.
   *
   * @param side the backbone alone or LLM4MSR; null for a control
   * @param relaImpr relative improvement of the AUC over the backbone alone, in percent
   * @param calibrationError expected calibration error
   * @param weights numbers that are trained
   * @param seconds of training, mean over the seeds
   */
  public record Model(
      String name,
      Side side,
      Figure auc,
      double relaImpr,
      Figure logLoss,
      Figure gauc,
      Figure calibrationError,
      long weights,
      double seconds) {}

  /**
   * One line of the table.
   *
   * @param trainRows rows of the training split
   * @param testRows rows of the test split
   * @param testPositives those with label 1
   * @param without the backbone alone, or null if it was not run
   * @param with the backbone with LLM4MSR, or null if it was not run
   * @param pValue two-sided p-value of the paired difference in AUC, corrected for all models
   *     compared
   */
  public record Row(
      String name,
      long trainRows,
      long testRows,
      long testPositives,
      Scores without,
      Scores with,
      double pValue) {

    public Row {
      if (without == null && with == null) {
        throw new IllegalArgumentException(name + ": neither side was measured");
      }
      if (testPositives < 0 || testPositives > testRows || trainRows < 0) {
        throw new IllegalArgumentException(name + ": rows and positives contradict each other");
      }
    }

    /** AUC with LLM4MSR less AUC without; not a number unless both are known. */
    public double aucDifference() {
      return without == null || with == null ? Double.NaN : with.auc() - without.auc();
    }
  }

  /**
   * Means over the seeds.
   *
   * @param aucDeviation standard deviation of the AUC over the seeds
   */
  public record Scores(double auc, double aucDeviation, double logLoss, double gauc) {}

  /**
   * How one training run went.
   *
   * @param backbone panel in which it is drawn
   * @param label shown when the reader points at the line, such as {@code seed 3}
   * @param bestEpoch index into {@code epochs} of the weights that were kept
   */
  public record Curve(String backbone, Side side, String label, List<Epoch> epochs, int bestEpoch) {
    public Curve {
      epochs = List.copyOf(epochs);
      if (bestEpoch < 0 || bestEpoch >= epochs.size()) {
        throw new IllegalArgumentException(label + ": best epoch " + bestEpoch + " is not there");
      }
    }
  }

  /** Loss on the training rows and AUC on the validation rows after an epoch. */
  public record Epoch(double trainLoss, double validAuc) {}

  /**
   * What a model leans on.
   *
   * @param model its name in words
   * @param scenarios in the order of the reading's distances
   */
  public record Reading(String model, ModelReading reading, List<String> scenarios) {
    public Reading {
      scenarios = List.copyOf(scenarios);
    }
  }

  /** A setting or a version, in words. */
  public record Setting(String name, String value) {}
}
