package org.llm4msr.app.report;

import java.util.Comparator;
import java.util.List;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Row;
import org.llm4msr.app.report.ReportModel.Scores;

/**
 * The answer in one sentence: does LLM4MSR help here, by how much, where, and is it more than
 * chance. It says no more than the numbers do; a difference without a significant test is no gain.
 */
record Headline(Verdict verdict, String answer, String detail) {
  enum Verdict {
    HELPS,
    HARMS,
    UNDECIDED,
    SINGLE
  }

  /** A sentence for one backbone; both parts are plain text, not yet escaped. */
  static Headline of(Result result) {
    Row overall = result.overall();
    if (!result.compares()) {
      return single(result);
    }
    double difference = overall.aucDifference();
    boolean significant = overall.pValue() < Text.SIGNIFICANT;
    String movement =
        "AUC over all scenarios goes from %s to %s (%s, %s)"
            .formatted(
                Text.metric(overall.without().auc()),
                Text.metric(overall.with().auc()),
                Text.difference(difference),
                evidence(overall.pValue(), result.seeds()));
    if (significant && difference > 0) {
      return new Headline(Verdict.HELPS, "LLM4MSR helps here.", movement + where(result, 1) + ".");
    }
    if (significant && difference < 0) {
      return new Headline(
          Verdict.HARMS, "LLM4MSR does harm here.", movement + where(result, -1) + ".");
    }
    String answer = "No significant difference.";
    if (result.seeds() == 1) {
      answer = "One seed cannot tell whether LLM4MSR helps here.";
    }
    return new Headline(Verdict.UNDECIDED, answer, movement + where(result, 0) + ".");
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
    if (Double.isNaN(pValue)) {
      return runs + ", no test";
    }
    return (pValue < 0.001 ? "p < 0.001" : "p = " + Text.decimals(pValue, 3)) + ", " + runs;
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
