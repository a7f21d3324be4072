package org.llm4msr.app.report;

import static org.llm4msr.app.report.Text.escape;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.model.training.ModelReading.CurvePoint;
import org.llm4msr.model.training.ModelReading.Importance;
import org.llm4msr.model.training.ModelReading.Input;
import org.llm4msr.model.training.ModelReading.Loss;

/** What a model leans on as one HTML page: bars, a curve, a heat map. */
public final class ReadingPage {
  private static final int MOST_SCENARIOS = 24;

  private ReadingPage() {}

  /**
   * @param run name of the run
   * @param scenarios in the order of the distances
   */
  public static String html(String run, ModelReading reading, List<String> scenarios) {
    StringBuilder page = new StringBuilder(1 << 15);
    page.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>");
    page.append("What the model leans on</title>\n<style>\n").append(ReportWriter.styleSheet());
    page.append("</style>\n</head>\n<body>\n<main>\n<header>\n<p class=\"brand\">llm4msr</p>\n");
    page.append("<h1>What the model leans on</h1>\n<p class=\"data\">").append(escape(run));
    page.append(", ").append(Text.count(reading.parts().getFirst().rows())).append(" rows</p>\n");
    page.append("</header>\n");
    importances(page, reading);
    parts(page, reading);
    if (reading.fusion() != null && !reading.fusion().curve().isEmpty()) {
      curve(page, reading.fusion().curve());
    }
    if (reading.scenarioDistances().length > 1) {
      distances(page, reading, scenarios);
    }
    return page.append("</main>\n</body>\n</html>\n").toString();
  }

  private static void importances(StringBuilder page, ModelReading reading) {
    List<ReadingCharts.Bar> bars = new ArrayList<>();
    for (Importance importance : reading.importances()) {
      Loss loss = importance.losses().getFirst();
      bars.add(
          new ReadingCharts.Bar(
              importance.name(), loss.mean(), loss.deviation(), isKnowledge(importance)));
    }
    page.append("<section class=\"card\">\n<h2>AUC lost when an input is permuted</h2>\n");
    page.append(ReadingCharts.bars(bars));
    page.append("<p class=\"note\">Mean of ").append(reading.repeats());
    page.append(" permutations, the line is their standard deviation. A field is permuted over ");
    page.append("the rows, users exchange their vectors, scenarios too. Inputs that say the same ");
    page.append(
        "share what they are worth: permuting one alone then costs little.</p>\n</section>\n");
  }

  private static boolean isKnowledge(Importance importance) {
    return importance.input() == Input.USER_KNOWLEDGE
        || importance.input() == Input.SCENARIO_KNOWLEDGE;
  }

  private static void parts(StringBuilder page, ModelReading reading) {
    List<Importance> knowledge =
        reading.importances().stream().filter(ReadingPage::isKnowledge).toList();
    page.append(
        "<section class=\"card\">\n<h2>Who leans on knowledge</h2>\n<div class=\"scroll\">");
    page.append("<table>\n<thead>\n<tr><th>Rows of</th><th>rows</th><th>AUC ↑</th>");
    knowledge.forEach(importance ->
        page.append("<th>lost without ").append(escape(importance.name())).append("</th>"));
    page.append(reading.fusion() == null ? "" : "<th>weight of knowledge</th>");
    page.append("</tr>\n</thead>\n<tbody>\n");
    for (int p = 0; p < reading.parts().size(); p++) {
      ModelReading.Part part = reading.parts().get(p);
      page.append("<tr><th>").append(escape(part.name())).append("</th>");
      ReportWriter.cell(page, "", Text.count(part.rows()));
      ReportWriter.cell(page, "", Text.metric(part.auc()));
      for (Importance importance : knowledge) {
        ReportWriter.cell(page, "", Text.difference(importance.losses().get(p).mean()));
      }
      if (reading.fusion() != null) {
        ReportWriter.cell(page, "", Text.metric(reading.fusion().means().get(p)));
      }
      page.append("</tr>\n");
    }
    page.append("</tbody>\n</table></div>\n<p class=\"note\">The weight is what the scenario ");
    page.append("level's logit is multiplied with.</p>\n</section>\n");
  }

  private static void curve(StringBuilder page, List<CurvePoint> points) {
    page.append("<section class=\"card\">\n<h2>The weight of knowledge over the evidence</h2>\n");
    page.append(ReadingCharts.curve(points));
    page.append(
        "<p class=\"note\">Over the user's training rows in the scenario. Full: beside an ");
    page.append("item without training rows there; dashed: beside one with 100.</p>\n</section>\n");
  }

  private static void distances(StringBuilder page, ModelReading reading, List<String> scenarios) {
    int shown = Math.min(MOST_SCENARIOS, scenarios.size());
    page.append("<section class=\"card\">\n<h2>How much the generated layers differ</h2>\n");
    page.append(
        ReadingCharts.heatMap(
            scenarios.subList(0, shown),
            IntStream.range(0, shown).mapToObj(s -> reading.scenarioDistances()[s]).toList()));
    page.append(
        "<p class=\"note\">Between two scenarios; 0: the same layers, 1.41: unrelated ones");
    if (reading.users() != null) {
      page.append(". Between two of ").append(reading.users().users()).append(" users: median ");
      page.append(Text.decimals(reading.users().median(), 3)).append(", from ");
      page.append(Text.decimals(reading.users().low(), 3)).append(" (10 %) to ");
      page.append(Text.decimals(reading.users().high(), 3)).append(" (90 %)");
    }
    page.append(".</p>\n</section>\n");
  }
}
