package org.llm4msr.app.report;

import static org.llm4msr.app.report.Text.escape;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.llm4msr.app.report.ReadingCharts.Bar;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.model.training.ModelReading.CurvePoint;
import org.llm4msr.model.training.ModelReading.Fusion;
import org.llm4msr.model.training.ModelReading.Importance;
import org.llm4msr.model.training.ModelReading.Input;
import org.llm4msr.model.training.ModelReading.Loss;
import org.llm4msr.model.training.ModelReading.Part;
import org.llm4msr.model.training.ModelReading.Spread;

/** What a model leans on: bars, boxes, a curve, a heat map, and the numbers as a table. */
final class ReadingSections {
  /** Pictures of more rows are not read; the table holds all. */
  private static final int MOST_SCENARIOS = 24;

  private static final int MOST_INPUTS = 40;

  private final StringBuilder page;
  private final ModelReading reading;
  private final List<String> scenarios;
  private final List<Importance> knowledge;

  /** Scenarios that pictures show: those with most rows, in their order. */
  private final int[] shown;

  private ReadingSections(StringBuilder page, ModelReading reading, List<String> scenarios) {
    this.page = page;
    this.reading = reading;
    this.scenarios = scenarios;
    knowledge = reading.importances().stream().filter(ReadingSections::isKnowledge).toList();
    shown =
        IntStream.range(0, scenarios.size())
            .boxed()
            .sorted(Comparator.comparing((Integer s) -> -part(s).rows()))
            .limit(MOST_SCENARIOS)
            .sorted()
            .mapToInt(Integer::intValue)
            .toArray();
  }

  /**
   * Appends headings of the third level with what belongs to them.
   *
   * @param scenarios in the order of the reading's parts and distances
   */
  static void append(StringBuilder page, ModelReading reading, List<String> scenarios) {
    ReadingSections sections = new ReadingSections(page, reading, scenarios);
    sections.importances();
    sections.knowledge.forEach(sections::byPart);
    if (reading.fusion() != null) {
      sections.fusion(reading.fusion());
    }
    if (!sections.knowledge.isEmpty()) {
      sections.table();
    }
    if (reading.scenarioDistances().length > 1) {
      sections.distances();
    }
  }

  /** The first part is the whole, the scenarios follow. */
  private Part part(int scenario) {
    return reading.parts().get(1 + scenario);
  }

  private static boolean isKnowledge(Importance importance) {
    return importance.input() == Input.USER_KNOWLEDGE
        || importance.input() == Input.SCENARIO_KNOWLEDGE;
  }

  private void heading(String text) {
    page.append("<h3>").append(escape(text)).append("</h3>\n");
  }

  private void note(String html) {
    page.append("<p class=\"note\">").append(html).append("</p>\n");
  }

  private void chart(String svg) {
    page.append("<div class=\"scroll wide\">").append(svg).append("</div>\n");
  }

  private void importances() {
    heading("AUC lost when an input is permuted");
    List<Importance> largest =
        reading.importances().stream()
            .sorted(Comparator.comparing(importance -> -importance.losses().getFirst().mean()))
            .toList();
    // What knowledge is worth is the question: it is shown however little that is.
    long fields = MOST_INPUTS - knowledge.size();
    List<Importance> kept = largest.stream().filter(i -> !isKnowledge(i)).limit(fields).toList();
    List<Bar> bars =
        largest.stream()
            .filter(importance -> isKnowledge(importance) || kept.contains(importance))
            .map(importance -> bar(importance, 0, importance.name()))
            .toList();
    chart(ReadingCharts.bars(bars, "AUC lost when an input is permuted"));
    int left = largest.size() - bars.size();
    note(
        "On "
            + Text.count(reading.parts().getFirst().rows())
            + " rows; mean of "
            + reading.repeats()
            + " permutations ± standard deviation. A field is permuted over the rows, users exchange"
            + " their vectors, scenarios too. Inputs that say the same share what they are worth:"
            + " permuting one alone then costs little."
            + (left == 0 ? "" : " " + left + " fields that cost less are left out."));
  }

  private static Bar bar(Importance importance, int part, String name) {
    Loss loss = importance.losses().get(part);
    return new Bar(name, loss.mean(), loss.deviation(), isKnowledge(importance));
  }

  /** Parts that a picture shows: scenarios, then users by their training rows. */
  private List<Integer> shownParts() {
    IntStream users = IntStream.range(1 + scenarios.size(), reading.parts().size());
    return Stream.concat(IntStream.of(shown).map(s -> s + 1).boxed(), users.boxed())
        .filter(p -> reading.parts().get(p).rows() > 0)
        .toList();
  }

  private String name(int part) {
    return reading.parts().get(part).name();
  }

  private void byPart(Importance importance) {
    heading("Who leans on the " + importance.name());
    List<Bar> bars = shownParts().stream().map(p -> bar(importance, p, name(p))).toList();
    chart(ReadingCharts.bars(bars, "AUC lost without the " + importance.name()));
  }

  private void fusion(Fusion fusion) {
    heading("The weight of knowledge");
    if (fusion.perRow()) {
      List<Integer> parts = shownParts();
      List<Spread> spreads = parts.stream().map(fusion.spreads()::get).toList();
      chart(ReadingCharts.spreads(parts.stream().map(this::name).toList(), spreads));
      note(
          "What the scenario level's logit is multiplied with, over the rows: the middle half as a"
              + " box, the middle four fifths as a line; the number is the median.");
    } else {
      String weight = Text.metric(fusion.means().getFirst());
      page.append("<p>The scenario level's logit is multiplied with <b>").append(weight);
      page.append("</b>, for every row alike.</p>\n");
    }
    if (!fusion.curve().isEmpty()) {
      curve(fusion.curve());
    }
  }

  private void curve(List<CurvePoint> points) {
    heading("The weight of knowledge over the evidence");
    page.append("<p class=\"legend\"><span><i class=\"stroke with\"></i>beside an item without ");
    page.append("training rows in the scenario</span><span><i class=\"stroke without\"></i>");
    page.append("beside an item with 100</span></p>\n");
    chart(ReadingCharts.curve(points));
  }

  private void table() {
    heading("The same in numbers");
    page.append(
        "<div class=\"scroll\"><table class=\"wrap\">\n<thead>\n<tr><th>Rows of</th><th>rows</th>");
    page.append("<th>AUC ↑</th>");
    knowledge.forEach(importance ->
        page.append("<th>lost without ").append(escape(importance.name())).append("</th>"));
    page.append(reading.fusion() == null ? "" : "<th>mean weight of knowledge</th>");
    page.append("</tr>\n</thead>\n<tbody>\n");
    for (int p = 0; p < reading.parts().size(); p++) {
      Part part = reading.parts().get(p);
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
    page.append("</tbody>\n</table></div>\n");
  }

  private void distances() {
    heading("How much the generated layers differ");
    List<String> names = new ArrayList<>();
    double[][] distances = new double[shown.length][shown.length];
    for (int i = 0; i < shown.length; i++) {
      names.add(scenarios.get(shown[i]));
      for (int j = 0; j < shown.length; j++) {
        distances[i][j] = reading.scenarioDistances()[shown[i]][shown[j]];
      }
    }
    chart(ReadingCharts.heatMap(names, distances));
    String users = "";
    if (reading.users() != null) {
      Spread spread = reading.users().distances();
      users =
          " Between two of "
              + reading.users().users()
              + " users: median "
              + Text.decimals(spread.median(), 3)
              + ", from "
              + Text.decimals(spread.low(), 3)
              + " (10 %) to "
              + Text.decimals(spread.high(), 3)
              + " (90 %).";
    }
    note("Between two scenarios; 0: the same layers, 1.41: unrelated ones." + users);
  }
}
