package org.llm4msr.app.report;

import java.util.List;
import java.util.Locale;
import org.llm4msr.model.training.ModelReading.CurvePoint;

/** Pictures of what a model leans on. */
final class ReadingCharts {
  private static final int WIDTH = 900;
  private static final int LEFT = 220;
  private static final int ROW = 28;

  private ReadingCharts() {}

  /**
   * @param deviation drawn as a line around the end; not a number for none
   */
  record Bar(String name, double value, double deviation, boolean strong) {}

  static String bars(List<Bar> bars) {
    double low = 0;
    double high = 1e-4;
    for (Bar bar : bars) {
      double spread = Double.isNaN(bar.deviation()) ? 0 : bar.deviation();
      if (!Double.isNaN(bar.value())) {
        low = Math.min(low, bar.value() - spread);
        high = Math.max(high, bar.value() + spread);
      }
    }
    int bottom = ROW * bars.size() + 10;
    Axis axis = new Axis(low, high, LEFT, WIDTH - 90, 6);
    StringBuilder svg = Charts.open(WIDTH, bottom + 28, "AUC lost when an input is permuted");
    Charts.verticalGrid(svg, axis, 4, bottom);
    for (int i = 0; i < bars.size(); i++) {
      Bar bar = bars.get(i);
      double y = ROW * (i + 0.5) + 6;
      String style = bar.strong() ? "row strong" : "row";
      Charts.text(svg, style, LEFT - 12, y + 4, "end", Charts.shorten(bar.name(), 28));
      Charts.text(svg, style, WIDTH - 10, y + 4, "end", Text.difference(bar.value()));
      if (Double.isNaN(bar.value())) {
        continue;
      }
      double end = axis.pixel(bar.value());
      Charts.line(svg, "bridge", axis.pixel(0), y, end, y);
      if (!Double.isNaN(bar.deviation())) {
        double from = axis.pixel(bar.value() - bar.deviation());
        Charts.line(svg, "rule", from, y, axis.pixel(bar.value() + bar.deviation()), y);
      }
      Charts.circle(svg, bar.strong() ? "with" : "without", end, y, 5, bar.name());
    }
    return svg.append("</svg>\n").toString();
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
    Charts.text(svg, "tick", WIDTH / 2.0, bottom + 38, "middle", "the user's training rows");
    svg.append("<polyline class=\"curve with\" points=\"").append(unknown).append("\"/>\n");
    svg.append("<polyline class=\"curve without\" points=\"").append(known).append("\"/>\n");
    return svg.append("</svg>\n").toString();
  }

  private static void point(StringBuilder points, double x, double y) {
    points.append(points.isEmpty() ? "" : " ").append(Charts.number(x));
    points.append(',').append(Charts.number(y));
  }

  /** The darker, the further apart; every cell says its number. */
  static String heatMap(List<String> names, List<double[]> distances) {
    int cell = Math.max(34, Math.min(80, (WIDTH - LEFT) / names.size()));
    int size = cell * names.size();
    double most = 1e-9;
    for (double[] row : distances) {
      for (int j = 0; j < names.size(); j++) {
        most = Math.max(most, row[j]);
      }
    }
    StringBuilder svg =
        Charts.open(LEFT + size, 30 * names.size() + 30, "Distances between generated layers");
    for (int i = 0; i < names.size(); i++) {
      double y = 30.0 * i + 26;
      Charts.text(svg, "row", LEFT - 12, y + 19, "end", Charts.shorten(names.get(i), 28));
      Charts.text(
          svg,
          "tick",
          LEFT + cell * (i + 0.5),
          18,
          "middle",
          Charts.shorten(names.get(i), Math.max(4, cell / 8)));
      for (int j = 0; j < names.size(); j++) {
        double distance = distances.get(i)[j];
        svg.append(
            "<rect class=\"heat\" x=\"%d\" y=\"%s\" width=\"%d\" height=\"28\" fill-opacity=\"%s\"/>\n"
                .formatted(
                    LEFT + cell * j,
                    Charts.number(y),
                    cell - 2,
                    Charts.number(0.7 * distance / most)));
        String number = String.format(Locale.ROOT, "%.2f", distance);
        Charts.text(svg, "tick", LEFT + cell * (j + 0.5) - 1, y + 19, "middle", number);
      }
    }
    return svg.append("</svg>\n").toString();
  }
}
