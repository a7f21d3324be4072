package org.llm4msr.app.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.llm4msr.app.report.Headline.Verdict;
import org.llm4msr.app.report.ReportModel.Change;
import org.llm4msr.app.report.ReportModel.Figure;
import org.llm4msr.app.report.ReportModel.Model;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Row;
import org.llm4msr.app.report.ReportModel.Scores;
import org.llm4msr.app.report.ReportModel.Side;

class HeadlineTest {
  @Test
  void saysHowMuchAndWhereItHelps() {
    Headline headline =
        Headline.of(result(5, row("web", 0.001, 0.4), row("store", 0.03, 0.0002), 0.012, 0.004));
    assertThat(headline.verdict()).isEqualTo(Verdict.HELPS);
    assertThat(headline.detail())
        .isEqualTo(
            "AUC over all scenarios goes from 0.7000 to 0.7120 (+0.0120, Holm-corrected p ="
                + " 0.004, 5 seeds), most in store (+0.0300), significant in 1 of 2 scenarios."
                + " Without random vectors as a control it is open whether knowledge did it.");
  }

  @Test
  void aLossIsCalledHarm() {
    Headline headline =
        Headline.of(result(5, row("web", -0.02, 0.01), row("store", 0.01, 0.01), -0.01, 0.0001));
    assertThat(headline.verdict()).isEqualTo(Verdict.HARMS);
    assertThat(headline.detail())
        .contains("−0.0100, Holm-corrected p < 0.001", "most in web (−0.0200)");
  }

  @Test
  void aGainThatMayBeChanceIsNoGain() {
    Headline headline =
        Headline.of(result(5, row("web", 0.02, 0.3), row("store", 0.01, 0.2), 0.01, 0.06));
    assertThat(headline.verdict()).isEqualTo(Verdict.UNDECIDED);
    assertThat(headline.answer()).isEqualTo("No significant difference.");
  }

  @Test
  void oneSeedDecidesNothing() {
    double none = Double.NaN;
    Headline headline =
        Headline.of(result(1, row("web", 0.02, none), row("store", 0.01, none), 0.01, none));
    assertThat(headline.verdict()).isEqualTo(Verdict.UNDECIDED);
    assertThat(headline.detail()).contains("1 seed, no test");
  }

  @Test
  void oneSideIsNoComparison() {
    Row row = new Row("web", 1, 2, 1, new Scores(0.7, 0, 0.5, 0.6), null, Double.NaN);
    Headline headline = Headline.of(new Result("star", List.of(row), row));
    assertThat(headline.verdict()).isEqualTo(Verdict.SINGLE);
    assertThat(headline.detail()).contains("star alone");
  }

  /** The same gain over the backbone alone; what random vectors gain decides. */
  @Test
  void onlyWhatGoesBeyondRandomVectorsIsAGain() {
    Headline more = Headline.of(controlled(0.009, 0.01));
    assertThat(more.verdict()).isEqualTo(Verdict.HELPS);
    assertThat(more.answer()).contains("by more than random vectors");
    assertThat(more.detail()).endsWith("Over random vectors: +0.0090 (Holm-corrected p = 0.010).");
    Headline chance = Headline.of(controlled(0.002, 0.3));
    assertThat(chance.verdict()).isEqualTo(Verdict.UNDECIDED);
    assertThat(chance.answer()).contains("not surely more than with random vectors");
    Headline less = Headline.of(controlled(-0.004, 0.01));
    assertThat(less.verdict()).isEqualTo(Verdict.UNDECIDED);
    assertThat(less.answer()).contains("random vectors gain more");
  }

  private static Result controlled(double overRandom, double pValue) {
    Change over = new Change(overRandom, overRandom - 0.001, overRandom + 0.001, pValue);
    Figure figure = new Figure(0.712, 0.001, Change.NONE, over);
    Model model = new Model("LLM4MSR", Side.WITH, figure, 1, figure, figure, figure, 10, 1);
    Row row = row("web", 0.012, 0.004);
    return new Result("star", 5, List.of(row), row, List.of(model), List.of(), List.of());
  }

  private static Result result(int seeds, Row first, Row second, double gain, double pValue) {
    return new Result(
        "star",
        seeds,
        List.of(first, second),
        row("overall", gain, pValue),
        List.of(),
        List.of(),
        List.of());
  }

  private static Row row(String name, double gain, double pValue) {
    Scores without = new Scores(0.7, 0.001, 0.5, 0.6);
    Scores with = new Scores(0.7 + gain, 0.001, 0.5, 0.6);
    return new Row(name, 100, 100, 50, without, with, pValue);
  }
}
