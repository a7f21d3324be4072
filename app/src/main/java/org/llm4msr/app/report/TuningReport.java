package org.llm4msr.app.report;

import static org.llm4msr.app.report.Text.escape;

import java.util.List;
import java.util.Locale;

/** A search as one HTML file: each training's score over its learning rate, and the table. */
public final class TuningReport {
  private static final int WIDTH = 900;
  private static final int HEIGHT = 360;
  private static final int LEFT = 80;
  private static final int BOTTOM = 310;

  private TuningReport() {}

  /**
   * One training.
   *
   * @param stage {@code rates} or {@code settings}, of levels beside a backbone {@code level rates}
   *     or {@code level settings}
   * @param trial number of the candidate within the stage, from 1
   * @param epochs at most
   * @param score best value of the stop metric on the validation rows, higher is better; NaN if
   *     training diverged
   * @param flags options for {@code train}
   */
  public record Trial(
      String stage,
      int trial,
      int epochs,
      double score,
      double learningRate,
      double seconds,
      String flags) {}

  /**
   * @param winners the best trial of each part: of the only one, or of the backbone and of the
   *     levels beside it
   * @param command that trains the best again
   */
  public static String html(String title, List<Trial> trials, List<Trial> winners, String command) {
    StringBuilder page = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n");
    page.append("<meta charset=\"utf-8\"/>\n<title>").append(escape(title)).append("</title>\n");
    page.append(
        """
        <style>
        body { font: 15px system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
        table { border-collapse: collapse; width: 100%; }
        td, th { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #8884; }
        td:last-child, th:last-child { text-align: left; font-family: monospace; font-size: 12px; }
        text { font-size: 12px; fill: currentColor; } .axis { stroke: currentColor; opacity: .3; }
        .rates { fill: none; stroke: #2563eb; stroke-width: 2; } .settings { fill: #d97706; }
        .best { fill: none; stroke: currentColor; stroke-width: 2; } tr.best { font-weight: 600; }
        </style>
        </head>
        <body>
        """);
    page.append("<h1>").append(escape(title)).append("</h1>\n<p>Best: <code>");
    page.append(escape(command)).append("</code></p>\n");
    for (Trial winner : winners) {
      boolean levels = isOfLevels(winner);
      if (winners.size() > 1) {
        page.append(levels ? "<h2>Levels beside the best backbone</h2>\n" : "<h2>Backbone</h2>\n");
      }
      page.append(
          plot(trials.stream().filter(trial -> isOfLevels(trial) == levels).toList(), winner));
    }
    page.append("<p>Rings: learning rates alone. Dots: random settings around the best rate. ");
    page.append("Larger marks trained longer. The score is measured on the validation rows.</p>\n");
    page.append("<table>\n<tr><th>stage</th><th>trial</th><th>epochs</th><th>score</th>");
    page.append("<th>seconds</th><th>options of train</th></tr>\n");
    for (Trial trial : trials) {
      page.append(winners.contains(trial) ? "<tr class=\"best\">" : "<tr>");
      page.append(
          "<td>%s</td><td>%d</td><td>%d</td><td>%s</td><td>%s</td><td>%s</td></tr>\n"
              .formatted(
                  trial.stage(),
                  trial.trial(),
                  trial.epochs(),
                  Double.isNaN(trial.score()) ? "diverged" : Text.decimals(trial.score(), 4),
                  Text.decimals(trial.seconds(), 1),
                  escape(trial.flags())));
    }
    return page.append("</table>\n</body>\n</html>\n").toString();
  }

  private static boolean isOfLevels(Trial trial) {
    return trial.stage().startsWith("level");
  }

  private static String plot(List<Trial> trials, Trial best) {
    List<Trial> shown = trials.stream().filter(trial -> !Double.isNaN(trial.score())).toList();
    double low = shown.stream().mapToDouble(Trial::score).min().orElseThrow();
    double high = shown.stream().mapToDouble(Trial::score).max().orElseThrow();
    double first = shown.stream().mapToDouble(TuningReport::exponent).min().orElseThrow();
    double last = shown.stream().mapToDouble(TuningReport::exponent).max().orElseThrow();
    Axis x = new Axis(first, last, LEFT, WIDTH - 20, 6);
    Axis y = new Axis(low, high, BOTTOM, 20, 5);
    int longest = shown.stream().mapToInt(Trial::epochs).max().orElseThrow();
    StringBuilder svg = new StringBuilder("<svg role=\"img\" viewBox=\"0 0 ");
    svg.append(WIDTH).append(' ').append(HEIGHT).append("\" aria-label=\"");
    svg.append("Score over learning rate\">\n");
    for (double tick : y.ticks()) {
      svg.append(
          "<line class=\"axis\" x1=\"%d\" y1=\"%s\" x2=\"%d\" y2=\"%s\"/>\n"
              .formatted(LEFT, pixel(y, tick), WIDTH - 20, pixel(y, tick)));
      svg.append(text(LEFT - 8.0, y.pixel(tick) + 4, "end", y.label(tick)));
    }
    for (double tick : x.ticks()) {
      String label = String.format(Locale.ROOT, "%.1e", Math.pow(10, tick));
      svg.append(text(x.pixel(tick), BOTTOM + 18.0, "middle", label));
    }
    svg.append(text((LEFT + WIDTH) / 2.0, HEIGHT - 8.0, "middle", "learning rate"));
    for (Trial trial : shown) {
      double radius = 3 + 4 * Math.sqrt((double) trial.epochs() / longest);
      svg.append(circle(style(trial), x, y, trial, radius, trial.flags()));
      if (trial.equals(best)) {
        svg.append(circle("best", x, y, trial, radius + 5, "best"));
      }
    }
    return svg.append("</svg>\n").toString();
  }

  private static String style(Trial trial) {
    return trial.stage().endsWith("rates") ? "rates" : "settings";
  }

  private static double exponent(Trial trial) {
    return Math.log10(trial.learningRate());
  }

  private static String pixel(Axis axis, double value) {
    return Text.decimals(axis.pixel(value), 1);
  }

  private static String text(double x, double y, String anchor, String text) {
    return "<text x=\"%s\" y=\"%s\" text-anchor=\"%s\">%s</text>\n"
        .formatted(Text.decimals(x, 1), Text.decimals(y, 1), anchor, escape(text));
  }

  private static String circle(
      String style, Axis x, Axis y, Trial trial, double radius, String title) {
    return "<circle class=\"%s\" cx=\"%s\" cy=\"%s\" r=\"%s\"><title>%s</title></circle>\n"
        .formatted(
            style,
            pixel(x, exponent(trial)),
            pixel(y, trial.score()),
            Text.decimals(radius, 1),
            escape(title));
  }
}
