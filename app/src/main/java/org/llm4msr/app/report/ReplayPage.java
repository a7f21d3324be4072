package org.llm4msr.app.report;

import static org.llm4msr.app.report.Text.escape;

import java.util.Comparator;
import java.util.List;
import org.llm4msr.app.replay.Interval;
import org.llm4msr.app.replay.Measure;
import org.llm4msr.app.replay.ReplayResult;
import org.llm4msr.app.replay.ReplayResult.Part;

/** A replay as one HTML page. */
public final class ReplayPage {
  /** Pictures of more rows are not read; the table holds all. */
  private static final int MOST_ROWS = 24;

  private static final int WIDTH = 900;
  private static final int LEFT = 220;
  private static final int RIGHT = WIDTH - 190;
  private static final int ROW = 28;
  private static final int TOP = 12;

  private final StringBuilder page = new StringBuilder(1 << 15);
  private final ReplayResult result;

  private ReplayPage(ReplayResult result) {
    this.result = result;
  }

  public static String html(ReplayResult result) {
    return new ReplayPage(result).html();
  }

  private String html() {
    ReportWriter.head(page, "Logged requests answered anew");
    page.append(
        "<header>\n<p class=\"brand\">llm4msr</p>\n<h1>Logged requests answered anew</h1>\n");
    page.append("<p class=\"data\">").append(escape(result.snapshot())).append(" against ");
    page.append(escape(result.other())).append(", on ").append(escape(result.log()));
    page.append("</p>\n</header>\n");
    answer();
    for (Measure measure :
        List.of(
            Measure.AUC_DIFFERENCE,
            Measure.TOP_SHARE,
            Measure.RANK_CORRELATION,
            Measure.SCORE_DIFFERENCE)) {
      picture(measure);
    }
    table();
    latencies();
    return page.append("</main>\n</body>\n</html>\n").toString();
  }

  private Interval overall(Measure measure) {
    return result.all().measures().get(measure);
  }

  private void answer() {
    page.append("<section class=\"card answer\">\n<h2>");
    page.append(Text.percent(overall(Measure.TOP_SHARE).mean()))
        .append(" of the first ")
        .append(result.top())
        .append(" items stay there</h2>\n<p>");
    page.append(Text.count(result.all().requests())).append(" requests with ");
    page.append(Text.count(result.all().items())).append(" items. The first item is the same in ");
    page.append(Text.percent(overall(Measure.SAME_FIRST).mean())).append(" of them.");
    Interval auc = overall(Measure.AUC_DIFFERENCE);
    if (auc.requests() > 0) {
      page.append(" The AUC on logged labels differs by ").append(Text.difference(auc.mean()));
      page.append(ends(auc)).append('.');
    }
    page.append("</p>\n</section>\n");
  }

  private static String ends(Interval interval) {
    return Double.isNaN(interval.low())
        ? ""
        : " ("
            + Text.decimals(interval.low(), 4)
            + " to "
            + Text.decimals(interval.high(), 4)
            + ")";
  }

  /** Means with their intervals, a row for each scenario. */
  private void picture(Measure measure) {
    List<Part> rows =
        result.parts().stream()
            .filter(part -> part.measures().get(measure).requests() > 0)
            .sorted(Comparator.comparing((Part part) -> -part.requests()))
            .limit(MOST_ROWS)
            .toList();
    if (rows.isEmpty()) {
      return;
    }
    double low = measure.same();
    double high = measure.same();
    for (Part part : rows) {
      Interval interval = part.measures().get(measure);
      low = Math.min(low, Double.isNaN(interval.low()) ? interval.mean() : interval.low());
      high = Math.max(high, Double.isNaN(interval.high()) ? interval.mean() : interval.high());
    }
    Axis axis = new Axis(low, high, LEFT, RIGHT, 6);
    int bottom = TOP + ROW * rows.size();
    StringBuilder svg = Charts.open(WIDTH, bottom + 44, measure.meaning());
    Charts.verticalGrid(svg, axis, TOP, bottom, measure.meaning());
    double same = axis.pixel(measure.same());
    Charts.line(svg, "zero", same, TOP, same, bottom);
    for (int i = 0; i < rows.size(); i++) {
      Interval interval = rows.get(i).measures().get(measure);
      double y = TOP + ROW * (i + 0.5);
      Charts.text(svg, "row", LEFT - 16, y + 4, "end", Charts.shorten(rows.get(i).name(), 28));
      if (!Double.isNaN(interval.low())) {
        double from = axis.pixel(interval.low());
        Charts.line(svg, "whisker", from, y, axis.pixel(interval.high()), y);
      }
      String number = Text.decimals(interval.mean(), 4);
      Charts.circle(svg, "with", axis.pixel(interval.mean()), y, 5, number + ends(interval));
      Charts.text(svg, "row", WIDTH - 6, y + 4, "end", number + ends(interval));
    }
    page.append("<section class=\"card\">\n<h2>").append(escape(capital(measure.meaning())));
    page.append("</h2>\n<div class=\"scroll wide\">").append(svg.append("</svg>\n"));
    page.append("</div>\n</section>\n");
  }

  private static String capital(String text) {
    return Character.toUpperCase(text.charAt(0)) + text.substring(1);
  }

  private void table() {
    page.append("<section class=\"card\">\n<h2>Per scenario</h2>\n<div class=\"scroll wrap\">");
    page.append("<table>\n<thead><tr><th>scenario</th><th>requests</th><th>unknown users</th>");
    for (Measure measure : Measure.values()) {
      page.append("<th>").append(escape(measure.meaning())).append("</th>");
    }
    page.append("</tr></thead>\n<tbody>\n");
    for (Part part : result.parts()) {
      page.append("<tr><th>").append(escape(part.name())).append("</th><td>");
      page.append(Text.count(part.requests())).append("</td><td>");
      page.append(Text.count(part.unknownUsers())).append("</td>");
      for (Measure measure : Measure.values()) {
        Interval interval = part.measures().get(measure);
        page.append("<td>").append(Text.decimals(interval.mean(), 4));
        page.append("<br/><small>").append(ends(interval).strip()).append("</small></td>");
      }
      page.append("</tr>\n");
    }
    page.append("</tbody>\n</table></div>\n<p class=\"note\">Means over requests with 95 %");
    page.append(" intervals, in which the requests of one user do not count as independent.");
    page.append("</p>\n</section>\n");
  }

  private void latencies() {
    page.append("<section class=\"card\">\n<h2>Latency</h2>\n<div class=\"scroll\"><table>\n");
    page.append("<thead><tr><th>microseconds</th><th>p50</th><th>p99</th><th>other's p50</th>");
    page.append("<th>other's p99</th></tr></thead>\n<tbody>\n");
    for (Part part : result.parts()) {
      page.append("<tr><th>").append(escape(part.name())).append("</th>");
      for (double micros :
          new double[] {
            part.latency().p50(),
            part.latency().p99(),
            part.otherLatency().p50(),
            part.otherLatency().p99()
          }) {
        page.append("<td>").append(Text.decimals(micros, 1)).append("</td>");
      }
      page.append("</tr>\n");
    }
    page.append(
        "</tbody>\n</table></div>\n<p class=\"note\">One request after the other: the search");
    page.append(" for keys and the scoring. What the log says of its own latency may have been");
    page.append(" measured otherwise.</p>\n</section>\n");
  }
}
