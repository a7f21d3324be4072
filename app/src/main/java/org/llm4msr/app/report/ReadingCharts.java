package org.llm4msr.app.report;

import java.util.List;
import java.util.Locale;
import org.llm4msr.model.training.ModelReading.CurvePoint;
import org.llm4msr.model.training.ModelReading.Spread;

/** Pictures of what a model leans on. */
final class ReadingCharts {
  private static final int WIDTH = 900;
  private static final int LEFT = 280;
  private static final int RIGHT = WIDTH - 150;
  private static final int ROW = 28;

  /** A span at least; what is less must look like nothing. */
  private static final double LEAST_LOSS = 1e-3;

  private static final double LEAST_DISTANCE = 0.1;
  private static final int LONGEST_NAME = 38;

  private ReadingCharts() {}

  /**
   * @param deviation drawn as a line around the end; not a number for none
   * @param knowledge whether it is drawn in the colour of knowledge
   */
  record Bar(String name, double value, double deviation, boolean knowledge) {}

  /** Losses of AUC with their deviation. */
  static String bars(List<Bar> bars, String label) {
    double low = 0;
    double high = LEAST_LOSS;
    for (Bar bar : bars) {
      double spread = Double.isNaN(bar.deviation()) ? 0 : bar.deviation();
      if (!Double.isNaN(bar.value())) {
        low = Math.min(low, bar.value() - spread);
        high = Math.max(high, bar.value() + spread);
      }
    }
    Axis axis = new Axis(low, high, LEFT, RIGHT, 6);
    StringBuilder svg = rows(bars.size(), label, axis, "AUC lost");
    for (int i = 0; i < bars.size(); i++) {
      Bar bar = bars.get(i);
      double y = middle(i);
      name(svg, bar.name(), y);
      String number = Text.difference(bar.value());
      if (Double.isNaN(bar.value())) {
        Charts.text(svg, "muted", LEFT + 8, y + 4, "start", "undefined");
        continue;
      }
      double from = Math.min(axis.pixel(0), axis.pixel(bar.value()));
      double to = Math.max(axis.pixel(0), axis.pixel(bar.value()));
      box(svg, bar.knowledge() ? "bar with" : "bar without", from, to, y, 14);
      if (!Double.isNaN(bar.deviation())) {
        number += " ± " + Text.metric(bar.deviation());
        double end = axis.pixel(bar.value() + bar.deviation());
        whisker(svg, axis.pixel(bar.value() - bar.deviation()), end, y);
      }
      Charts.text(svg, "row", WIDTH - 6, y + 4, "end", number);
    }
    Charts.line(svg, "zero", axis.pixel(0), 4, axis.pixel(0), bottom(bars.size()));
    return svg.append("</svg>\n").toString();
  }

  /**
   * The weight of knowledge over the rows of some parts.
   *
   * @param spreads none of them undefined
   */
  static String spreads(List<String> names, List<Spread> spreads) {
    double low = spreads.stream().mapToDouble(Spread::low).min().orElseThrow();
    double high = spreads.stream().mapToDouble(Spread::high).max().orElseThrow();
    Axis axis = new Axis(low, high, LEFT, RIGHT, 6);
    StringBuilder svg =
        rows(names.size(), "The weight of knowledge over the rows", axis, "weight of knowledge");
    for (int i = 0; i < names.size(); i++) {
      Spread spread = spreads.get(i);
      double y = middle(i);
      name(svg, names.get(i), y);
      whisker(svg, axis.pixel(spread.low()), axis.pixel(spread.high()), y);
      double from = axis.pixel(spread.lowerQuarter());
      box(svg, "bar with", from, axis.pixel(spread.upperQuarter()), y, 14);
      double median = axis.pixel(spread.median());
      Charts.line(svg, "median", median, y - 9, median, y + 9);
      Charts.text(svg, "row", WIDTH - 6, y + 4, "end", Text.metric(spread.median()));
    }
    return svg.append("</svg>\n").toString();
  }

  private static StringBuilder rows(int count, String label, Axis axis, String unit) {
    StringBuilder svg = Charts.open(WIDTH, bottom(count) + 44, label);
    Charts.verticalGrid(svg, axis, 4, bottom(count), unit);
    return svg;
  }

  private static int bottom(int rows) {
    return ROW * rows + 10;
  }

  private static double middle(int row) {
    return ROW * (row + 0.5) + 6;
  }

  private static void name(StringBuilder svg, String name, double y) {
    Charts.text(svg, "row", LEFT - 12, y + 4, "end", Charts.shorten(name, LONGEST_NAME));
  }

  private static void box(
      StringBuilder svg, String style, double from, double to, double y, double height) {
    svg.append(
        "<rect class=\"%s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\" rx=\"2\"/>\n"
            .formatted(
                style,
                Charts.number(from),
                Charts.number(y - height / 2),
                Charts.number(Math.max(to - from, 0.5)),
                Charts.number(height)));
  }

  private static void whisker(StringBuilder svg, double from, double to, double y) {
    Charts.line(svg, "whisker", from, y, to, y);
    Charts.line(svg, "whisker", from, y - 4, from, y + 4);
    Charts.line(svg, "whisker", to, y - 4, to, y + 4);
  }

  /** Over log(1 + rows), labelled with the rows. */
  static String curve(List<CurvePoint> points) {
    int bottom = 260;
    Axis x = new Axis(0, Math.log1p(points.getLast().userRows()), 60, WIDTH - 20, 6);
    Axis y = new Axis(0, 1, bottom, 16, 5);
    StringBuilder svg =
        Charts.open(WIDTH, bottom + 46, "The weight of knowledge over the evidence");
    for (double tick : y.ticks()) {
      Charts.line(svg, "grid", 60, y.pixel(tick), WIDTH - 20, y.pixel(tick));
      Charts.text(svg, "tick", 52, y.pixel(tick) + 4, "end", y.label(tick));
    }
    StringBuilder unknown = new StringBuilder();
    StringBuilder known = new StringBuilder();
    for (CurvePoint point : points) {
      double at = x.pixel(Math.log1p(point.userRows()));
      Charts.text(svg, "tick", at, bottom + 18, "middle", Integer.toString(point.userRows()));
      point(unknown, at, y.pixel(point.newItem()));
      point(known, at, y.pixel(point.knownItem()));
    }
    String unit = "the user's training rows in the scenario";
    Charts.text(svg, "tick", WIDTH / 2.0, bottom + 38, "middle", unit);
    svg.append("<polyline class=\"curve with\" points=\"").append(unknown).append("\"/>\n");
    svg.append("<polyline class=\"curve without\" points=\"").append(known).append("\"/>\n");
    for (CurvePoint point : points) {
      double at = x.pixel(Math.log1p(point.userRows()));
      mark(svg, "with", at, y, point.newItem(), point.userRows() + " rows, new item: ");
      mark(svg, "without", at, y, point.knownItem(), point.userRows() + " rows, known item: ");
    }
    return svg.append("</svg>\n").toString();
  }

  private static void mark(
      StringBuilder svg, String style, double at, Axis y, double weight, String hint) {
    Charts.circle(svg, style, at, y.pixel(weight), 3.5, hint + Text.metric(weight));
  }

  private static void point(StringBuilder points, double x, double y) {
    points.append(points.isEmpty() ? "" : " ").append(Charts.number(x));
    points.append(',').append(Charts.number(y));
  }

  /**
   * The stronger the colour, the further apart; every cell says its number.
   *
   * @param distances {@code [names, names]}
   */
  static String heatMap(List<String> names, double[][] distances) {
    int count = names.size();
    int cell = Math.clamp((WIDTH - LEFT) / count, 40, 110);
    int height = 28;
    double most = LEAST_DISTANCE;
    for (double[] row : distances) {
      for (double distance : row) {
        most = Math.max(most, distance);
      }
    }
    StringBuilder svg =
        Charts.open(
            LEFT + cell * count, (height + 2) * count + 28, "Distances between generated layers");
    for (int i = 0; i < count; i++) {
      double y = (height + 2) * i + 26;
      name(svg, names.get(i), y + height / 2.0);
      String head = Charts.shorten(names.get(i), Math.max(4, cell / 8));
      Charts.text(svg, "tick", LEFT + cell * (i + 0.5), 18, "middle", head);
      for (int j = 0; j < count; j++) {
        double opacity = 0.5 * distances[i][j] / most;
        svg.append(
            "<rect class=\"heat\" x=\"%d\" y=\"%s\" width=\"%d\" height=\"%d\" fill-opacity=\"%s\"/>\n"
                .formatted(
                    LEFT + cell * j,
                    Charts.number(y),
                    cell - 2,
                    height,
                    String.format(Locale.ROOT, "%.3f", opacity)));
        double middle = LEFT + cell * (j + 0.5) - 1;
        String number = Text.decimals(distances[i][j], cell < 50 ? 2 : 3);
        Charts.text(svg, "row", middle, y + height / 2.0 + 5, "middle", number);
      }
    }
    return svg.append("</svg>\n").toString();
  }
}
