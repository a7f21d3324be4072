package org.llm4msr.app.report;

import static org.llm4msr.app.report.Text.escape;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.llm4msr.app.report.ReportModel.Curve;
import org.llm4msr.app.report.ReportModel.Epoch;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Row;
import org.llm4msr.app.report.ReportModel.Side;

/**
 * Inline SVG. Colours come from the page's style sheet by class, so that they follow its light and
 * dark form; whatever colour says, a shape, a dash or a number says too.
 */
final class Charts {
  /** Marker shapes in the order in which scenarios take them; {@link #COLOURS} is no multiple. */
  private static final int SHAPES = 4;

  /** Colours {@code c0} to {@code c9} of the style sheet. */
  static final int COLOURS = 10;

  private Charts() {}

  /** AUC without and with LLM4MSR, a row per scenario, the difference at the end. */
  static String dumbbells(Result result) {
    int left = 180;
    int width = 1000;
    int right = width - 110;
    int rowHeight = 38;
    int top = 14;
    int bottom = top + rowHeight * (result.scenarios().size() + 1);
    double low = 1;
    double high = 0;
    List<Row> rows = rowsWithOverall(result);
    for (Row row : rows) {
      for (double auc : new double[] {row.without().auc(), row.with().auc()}) {
        if (!Double.isNaN(auc)) {
          low = Math.min(low, auc);
          high = Math.max(high, auc);
        }
      }
    }
    if (low > high) {
      return "";
    }
    Axis axis = new Axis(low, high, left, right, 6);
    StringBuilder svg = open(width, bottom + 44, "AUC per scenario without and with LLM4MSR");
    verticalGrid(svg, axis, top, bottom, "AUC on the test split");
    for (int i = 0; i < rows.size(); i++) {
      Row row = rows.get(i);
      double y = top + rowHeight * (i + 0.5);
      boolean overall = i == rows.size() - 1;
      if (overall) {
        line(svg, "rule", 0, y - rowHeight / 2.0, width, y - rowHeight / 2.0);
      }
      text(svg, overall ? "row strong" : "row", left - 16, y + 4, "end", shorten(row.name(), 24));
      if (Double.isNaN(row.aucDifference())) {
        text(svg, "muted", left + 8, y + 4, "start", "undefined: one class only");
        continue;
      }
      double a = axis.pixel(row.without().auc());
      double b = axis.pixel(row.with().auc());
      line(svg, "bridge", a, y, b, y);
      circle(svg, "without", a, y, 6, "without: " + Text.metric(row.without().auc()));
      circle(svg, "with", b, y, 6, "with LLM4MSR: " + Text.metric(row.with().auc()));
      String star = row.pValue() < Text.SIGNIFICANT ? " *" : "";
      String style = star.isEmpty() ? "row muted" : "row strong";
      text(svg, style, width - 18, y + 4, "end", Text.difference(row.aucDifference()) + star);
    }
    return svg.append("</svg>\n").toString();
  }

  /** One panel: a line per run, the kept epoch marked. */
  static String lines(
      List<Curve> curves, ToDoubleFunction<Epoch> value, String title, String unit) {
    int left = 58;
    int width = 500;
    int height = 290;
    int top = 34;
    int bottom = height - 42;
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    int epochs = 1;
    for (Curve curve : curves) {
      epochs = Math.max(epochs, curve.epochs().size());
      for (Epoch epoch : curve.epochs()) {
        double v = value.applyAsDouble(epoch);
        if (!Double.isNaN(v)) {
          low = Math.min(low, v);
          high = Math.max(high, v);
        }
      }
    }
    if (low > high) {
      return "";
    }
    Axis x = new Axis(1, Math.max(2, epochs), left, width - 12, Math.min(8, Math.max(2, epochs)));
    Axis y = new Axis(low, high, bottom, top, 5);
    StringBuilder svg = open(width, height, title);
    text(svg, "panel", left - 44, 16, "start", title);
    for (double tick : y.ticks()) {
      line(svg, "grid", left, y.pixel(tick), width - 12, y.pixel(tick));
      text(svg, "tick", left - 8, y.pixel(tick) + 4, "end", y.label(tick));
    }
    for (double tick : x.ticks()) {
      if (tick == Math.rint(tick)) {
        text(svg, "tick", x.pixel(tick), bottom + 18, "middle", x.label(tick));
      }
    }
    text(svg, "tick", (left + width) / 2.0, height - 6, "middle", unit);
    for (Curve curve : curves) {
      curve(svg, curve, value, x, y);
    }
    return svg.append("</svg>\n").toString();
  }

  private static void curve(
      StringBuilder svg, Curve curve, ToDoubleFunction<Epoch> value, Axis x, Axis y) {
    String side = curve.side() == Side.WITH ? "with" : "without";
    StringBuilder points = new StringBuilder();
    for (int e = 0; e < curve.epochs().size(); e++) {
      double v = value.applyAsDouble(curve.epochs().get(e));
      if (!Double.isNaN(v)) {
        points.append(number(x.pixel(e + 1))).append(',').append(number(y.pixel(v))).append(' ');
      }
    }
    String name = curve.label() + (curve.side() == Side.WITH ? ", with LLM4MSR" : ", without");
    svg.append("<polyline class=\"curve ").append(side).append("\" points=\"");
    svg.append(points.toString().strip()).append("\"><title>").append(escape(name));
    svg.append("</title></polyline>\n");
    double best = value.applyAsDouble(curve.epochs().get(curve.bestEpoch()));
    if (!Double.isNaN(best)) {
      String kept =
          "%s: kept epoch %d, %s".formatted(name, curve.bestEpoch() + 1, Text.metric(best));
      circle(svg, side, x.pixel(curve.bestEpoch() + 1), y.pixel(best), 3.5, kept);
    }
  }

  /** The user map; colour and shape both tell the scenario. */
  static String scatter(UserMap map) {
    int width = 800;
    int height = 520;
    double lowX = Double.POSITIVE_INFINITY;
    double highX = Double.NEGATIVE_INFINITY;
    double lowY = Double.POSITIVE_INFINITY;
    double highY = Double.NEGATIVE_INFINITY;
    for (UserMap.Point point : map.points()) {
      lowX = Math.min(lowX, point.x());
      highX = Math.max(highX, point.x());
      lowY = Math.min(lowY, point.y());
      highY = Math.max(highY, point.y());
    }
    StringBuilder svg = open(width, height, "User vectors in two dimensions");
    svg.append("<rect class=\"frame\" x=\"0.5\" y=\"0.5\" width=\"")
        .append(width - 1)
        .append("\" height=\"")
        .append(height - 30)
        .append("\" rx=\"8\"/>\n");
    Axis x = new Axis(lowX, highX, 10, width - 10, 5);
    Axis y = new Axis(lowY, highY, height - 40, 10, 5);
    for (UserMap.Point point : map.points()) {
      marker(svg, point.scenario(), x.pixel(point.x()), y.pixel(point.y()), 3.2);
    }
    String axes =
        "first component, %s of the variance, to the right; second, %s, upwards"
            .formatted(Text.percent(map.explained()[0]), Text.percent(map.explained()[1]));
    text(svg, "tick", width / 2.0, height - 8, "middle", axes);
    return svg.append("</svg>\n").toString();
  }

  /** The marker of a scenario on its own, for the legend. */
  static String legendMarker(int scenario) {
    StringBuilder svg =
        new StringBuilder("<svg class=\"key\" viewBox=\"0 0 14 14\" aria-hidden=\"true\">");
    marker(svg, scenario, 7, 7, 5);
    return svg.append("</svg>").toString();
  }

  private static void marker(StringBuilder svg, int scenario, double x, double y, double r) {
    String style = "dot c" + scenario % COLOURS;
    switch (scenario % SHAPES) {
      case 0 -> circle(svg, style, x, y, r, null);
      case 1 ->
          polygon(
              svg, style, x, y - 1.25 * r, x + 1.15 * r, y + 0.8 * r, x - 1.15 * r, y + 0.8 * r);
      case 2 ->
          polygon(
              svg,
              style,
              x - r * 0.9,
              y - r * 0.9,
              x + r * 0.9,
              y - r * 0.9,
              x + r * 0.9,
              y + r * 0.9,
              x - r * 0.9,
              y + r * 0.9);
      default ->
          polygon(svg, style, x, y - 1.3 * r, x + 1.3 * r, y, x, y + 1.3 * r, x - 1.3 * r, y);
    }
  }

  private static List<Row> rowsWithOverall(Result result) {
    List<Row> rows = new ArrayList<>(result.scenarios());
    rows.add(result.overall());
    return rows;
  }

  static void verticalGrid(StringBuilder svg, Axis axis, double top, double bottom, String unit) {
    for (double tick : axis.ticks()) {
      line(svg, "grid", axis.pixel(tick), top, axis.pixel(tick), bottom);
      text(svg, "tick", axis.pixel(tick), bottom + 18, "middle", axis.label(tick));
    }
    double middle = axis.pixel(axis.ticks().getFirst() / 2 + axis.ticks().getLast() / 2);
    text(svg, "tick", middle, bottom + 38, "middle", unit);
  }

  static StringBuilder open(int width, int height, String label) {
    return new StringBuilder("<svg class=\"chart\" role=\"img\" viewBox=\"0 0 ")
        .append(width)
        .append(' ')
        .append(height)
        .append("\" style=\"max-width:")
        .append(width)
        .append("px\" aria-label=\"")
        .append(escape(label))
        .append("\">\n");
  }

  static void line(StringBuilder svg, String style, double x1, double y1, double x2, double y2) {
    svg.append(
        "<line class=\"%s\" x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\"/>\n"
            .formatted(style, number(x1), number(y1), number(x2), number(y2)));
  }

  /** A circle with a hint for the pointer, or without if {@code hint} is null. */
  static void circle(StringBuilder svg, String style, double x, double y, double r, String hint) {
    String title = hint == null ? "" : "<title>" + escape(hint) + "</title>";
    svg.append(
        "<circle class=\"%s\" cx=\"%s\" cy=\"%s\" r=\"%s\">%s</circle>\n"
            .formatted(style, number(x), number(y), number(r), title));
  }

  private static void polygon(StringBuilder svg, String style, double... corners) {
    svg.append("<polygon class=\"").append(style).append("\" points=\"");
    for (int i = 0; i < corners.length; i++) {
      svg.append(i == 0 ? "" : i % 2 == 1 ? "," : " ").append(number(corners[i]));
    }
    svg.append("\"/>\n");
  }

  static void text(
      StringBuilder svg, String style, double x, double y, String anchor, String content) {
    svg.append(
        "<text class=\"%s\" x=\"%s\" y=\"%s\" text-anchor=\"%s\">%s</text>\n"
            .formatted(style, number(x), number(y), anchor, escape(content)));
  }

  static String shorten(String name, int most) {
    return name.length() <= most ? name : name.substring(0, most - 1) + "…";
  }

  static String number(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }
}
