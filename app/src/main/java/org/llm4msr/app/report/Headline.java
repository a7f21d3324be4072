package org.llm4msr.app.report;

import java.util.Comparator;
import java.util.List;
import org.llm4msr.app.report.ReportModel.Change;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Row;
import org.llm4msr.app.report.ReportModel.Scores;
import org.llm4msr.app.report.ReportModel.Side;

/**
 * The answer in one sentence: does LLM4MSR help here, by how much, where, and is it more than
 * chance, by tests that are corrected for all models compared. It says no more than the numbers do;
 * a difference without a significant test is no gain.
 */
record Headline(Verdict verdict, String answer, String detail) {
  enum Verdict {
    HELPS,
    HARMS,
    UNDECIDED,
    SINGLE
  }

  /**
   * A sentence for one backbone; both parts are plain text, not yet escaped. Where random vectors
   * were run too, only what goes beyond them is a gain.
   */
  static Headline of(Result result) {
    Row overall = result.overall();
    if (!result.compares()) {
      return single(result);
    }
    double difference = overall.aucDifference();
    Change overRandom =
        result.model(Side.WITH).map(model -> model.auc().overRandom()).orElse(Change.NONE);
    int direction = overall.pValue() < Text.SIGNIFICANT ? (int) Math.signum(difference) : 0;
    String detail =
        "AUC over all scenarios goes from %s to %s (%s, %s)%s.%s"
            .formatted(
                Text.metric(overall.without().auc()),
                Text.metric(overall.with().auc()),
                Text.difference(difference),
                evidence(overall.pValue(), result.seeds()),
                where(result, direction),
                control(overRandom, direction));
    if (direction > 0) {
      return gain(overRandom, detail);
    }
    if (direction < 0) {
      return new Headline(Verdict.HARMS, "LLM4MSR does harm here.", detail);
    }
    String answer = "No significant difference.";
    if (result.seeds() == 1) {
      answer = "One seed cannot tell whether LLM4MSR helps here.";
    }
    return new Headline(Verdict.UNDECIDED, answer, detail);
  }

  /** Of a significant gain over the backbone alone. */
  private static Headline gain(Change overRandom, String detail) {
    if (Double.isNaN(overRandom.mean())) {
      return new Headline(Verdict.HELPS, "LLM4MSR helps here.", detail);
    }
    if (!(overRandom.pValue() < Text.SIGNIFICANT)) {
      return new Headline(
          Verdict.UNDECIDED, "A gain, but not surely more than with random vectors.", detail);
    }
    return overRandom.mean() > 0
        ? new Headline(Verdict.HELPS, "LLM4MSR helps here, by more than random vectors do.", detail)
        : new Headline(Verdict.UNDECIDED, "A gain, but random vectors gain more.", detail);
  }

  /** What the control of random vectors says; empty where it would say nothing. */
  private static String control(Change overRandom, int direction) {
    if (!Double.isNaN(overRandom.mean())) {
      return " Over random vectors: %s (%s)."
          .formatted(Text.difference(overRandom.mean()), test(overRandom.pValue()));
    }
    return direction > 0
        ? " Without random vectors as a control it is open whether knowledge did it."
        : "";
  }

  private static Headline single(Result result) {
    Row overall = result.overall();
    boolean with = overall.with() != null;
    Scores scores = with ? overall.with() : overall.without();
    String name = result.backbone() + (with ? " with LLM4MSR" : " alone");
    String answer = "Test AUC %s over all scenarios.".formatted(Text.metric(scores.auc()));
    String detail =
        "One side only, %s: whether knowledge from the language model helps shows in a comparison."
            .formatted(name);
    return new Headline(Verdict.SINGLE, answer, detail);
  }

  private static String evidence(double pValue, int seeds) {
    String runs = seeds == 1 ? "1 seed" : seeds + " seeds";
    return Double.isNaN(pValue) ? runs + ", no test" : test(pValue) + ", " + runs;
  }

  private static String test(double pValue) {
    if (Double.isNaN(pValue)) {
      return "no test";
    }
    return "Holm-corrected p " + (pValue < 0.001 ? "< 0.001" : "= " + Text.decimals(pValue, 3));
  }

  /** Names the scenario that moved most, among the significant ones if there are any. */
  private static String where(Result result, int direction) {
    List<Row> moved =
        result.scenarios().stream()
            .filter(row -> row.pValue() < Text.SIGNIFICANT)
            .filter(row -> direction == 0 || Math.signum(row.aucDifference()) == direction)
            .toList();
    if (moved.isEmpty()) {
      return direction == 0 ? "" : ", in no single scenario by more than chance";
    }
    Row most =
        moved.stream()
            .max(Comparator.comparingDouble(row -> Math.abs(row.aucDifference())))
            .orElseThrow();
    return "%s %s (%s), significant in %d of %d scenarios"
        .formatted(
            direction == 0 ? "; it moved in" : ", most in",
            most.name(),
            Text.difference(most.aucDifference()),
            moved.size(),
            result.scenarios().size());
  }
}
