package org.llm4msr.bench.suite;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * A roofline (Williams, Waterman and Patterson 2009): operations a second over operations for each
 * byte of least traffic, both in logarithms, under what memory and registers allow. One thread,
 * each instruction set in a colour of its own.
 */
final class RooflineChart {
  private static final int WIDTH = 860;
  private static final int HEIGHT = 520;
  private static final int LEFT = 60;
  private static final int RIGHT = 270;
  private static final int TOP = 40;
  private static final int BOTTOM = 50;
  private static final double LEAST_X = 0.1;
  private static final double MOST_X = 1000;
  private static final double LEAST_Y = 1;
  private static final double MOST_Y = 3000;
  private static final String[] COLOURS = {"#1f6fb2", "#c05020"};

  private final StringBuilder svg = new StringBuilder();

  private RooflineChart() {}

  /** Draws a part of a file of results, if it was measured. */
  static void write(Path file, String title, Results results, String part) {
    if (results.figures(part).isEmpty()) {
      return;
    }
    RooflineChart chart = new RooflineChart();
    chart.draw(title, results.ceilings(), results.figures(part));
    try {
      Files.writeString(file, chart.svg);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void draw(String title, JsonNode ceilings, JsonNode figures) {
    add(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\""
            + " font-family=\"Helvetica, Arial, sans-serif\" font-size=\"11\" role=\"img\">",
        WIDTH, HEIGHT, WIDTH, HEIGHT);
    add("<title>%s</title>", title);
    add("<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>", WIDTH, HEIGHT);
    text(LEFT, 22, "start", "#222", 13, title);
    axes();
    Map<String, String> colours = new LinkedHashMap<>();
    for (JsonNode ceiling : ceilings) {
      if (ceiling.path("threads").asInt() == 1) {
        String isa = ceiling.path("isa").asString();
        colours.put(isa, COLOURS[colours.size() % COLOURS.length]);
        roof(ceiling, isa, colours.get(isa));
      }
    }
    int number = 0;
    for (JsonNode figure : figures) {
      double intensity = figure.path("intensity").asDouble();
      String colour = colours.get(figure.path("isa").asString());
      if (figure.path("threads").asInt() == 1 && intensity > 0 && colour != null) {
        point(++number, figure, intensity, colour);
      }
    }
    add("</svg>");
  }

  private void axes() {
    for (double x = LEAST_X; x <= MOST_X * 1.001; x *= 10) {
      line(x(x), y(LEAST_Y), x(x), y(MOST_Y), "#dddddd", "");
      text(x(x), HEIGHT - BOTTOM + 16, "middle", "#444", 11, label(x));
    }
    for (double y = LEAST_Y; y <= MOST_Y; y *= 10) {
      line(x(LEAST_X), y(y), x(MOST_X), y(y), "#dddddd", "");
      text(LEFT - 6, y(y) + 4, "end", "#444", 11, label(y));
    }
    text(
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 14,
        "middle",
        "#222",
        12,
        "operations for each byte of least traffic");
    add(
        "<text transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\" font-size=\"12\""
            + " fill=\"#222\">GFLOP/s</text>",
        (TOP + HEIGHT - BOTTOM) / 2);
  }

  private static String label(double value) {
    return value < 1 ? String.valueOf(Math.round(value * 10) / 10.0) : "" + Math.round(value);
  }

  private void roof(JsonNode ceiling, String isa, String colour) {
    double memory = ceiling.path("memory").asDouble();
    double fma = ceiling.path("fma").asDouble();
    double int8 = ceiling.path("int8").asDouble();
    double highest = Math.max(fma, int8);
    line(x(LEAST_X), y(memory * LEAST_X), x(highest / memory), y(highest), colour, "");
    line(x(fma / memory), y(fma), x(MOST_X), y(fma), colour, "");
    line(x(int8 / memory), y(int8), x(MOST_X), y(int8), colour, "6 4");
    double right = x(MOST_X) - 4;
    // Sets whose vectors are computed in halves share a roof: one label goes above it, the other
    // below.
    double below = colour.equals(COLOURS[0]) ? -4 : 12;
    text(right, y(fma) + below, "end", colour, 11, isa + " F32 " + Math.round(fma));
    text(right, y(int8) - 4, "end", colour, 11, isa + " int8 " + Math.round(int8));
  }

  private void point(int number, JsonNode figure, double intensity, String colour) {
    double x = x(intensity);
    double y = y(figure.path("gflops").asDouble());
    add("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>", x, y, colour);
    text(x + 5, y - 4, "start", colour, 9, String.valueOf(number));
    String told =
        String.format(
            Locale.ROOT,
            "%d %s, %.0f %%",
            number,
            figure.path("name").asString(),
            figure.path("percent").asDouble());
    text(WIDTH - RIGHT + 14, TOP + 6 + 14.5 * number, "start", colour, 10.5, told);
  }

  private static double x(double value) {
    double share = Math.log(value / LEAST_X) / Math.log(MOST_X / LEAST_X);
    return LEFT + share * (WIDTH - LEFT - RIGHT);
  }

  private static double y(double value) {
    double share = Math.log(value / LEAST_Y) / Math.log(MOST_Y / LEAST_Y);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  }

  private void line(double x1, double y1, double x2, double y2, String colour, String dashes) {
    add(
        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"1.3\""
            + " stroke-dasharray=\"%s\"/>",
        x1, y1, x2, y2, colour, dashes);
  }

  private void text(double x, double y, String anchor, String colour, double size, String text) {
    add(
        "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\" font-size=\"%s\">%s</text>",
        x, y, anchor, colour, size, text.replace("&", "&amp;").replace("<", "&lt;"));
  }

  private void add(String format, Object... values) {
    svg.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
