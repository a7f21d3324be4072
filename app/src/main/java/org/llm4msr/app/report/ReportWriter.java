package org.llm4msr.app.report;

import static org.llm4msr.app.report.Text.escape;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.llm4msr.app.report.ReportModel.Curve;
import org.llm4msr.app.report.ReportModel.Epoch;
import org.llm4msr.app.report.ReportModel.Reading;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Row;
import org.llm4msr.app.report.ReportModel.Scores;
import org.llm4msr.app.report.ReportModel.Setting;
import org.llm4msr.app.report.ReportModel.Side;

/**
 * Writes a {@link ReportModel} as one HTML file that needs nothing else: style and pictures are
 * inside, no script, no network.
 */
public final class ReportWriter {
  private ReportWriter() {}

  /**
   * Writes the report; the file appears whole or not at all.
   *
   * @throws IOException if it cannot be written
   */
  public static void write(ReportModel model, Path file) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    Path part = folder.resolve(file.getFileName() + ".part");
    try {
      Files.writeString(part, html(model));
      Files.move(part, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  static String html(ReportModel model) {
    StringBuilder page = new StringBuilder(1 << 16);
    head(page, model.title());
    page.append("<header>\n<p class=\"brand\">llm4msr</p>\n<h1>").append(escape(model.title()));
    page.append("</h1>\n<p class=\"data\">").append(escape(model.data())).append("</p>\n");
    for (String notice : model.notices()) {
      page.append("<p class=\"notice\">").append(escape(notice)).append("</p>\n");
    }
    page.append("</header>\n");
    if (model.results().size() > 1
        && model.results().stream().noneMatch(result -> result.models().isEmpty())) {
      Overview.append(page, model.results());
    }
    for (Result result : model.results()) {
      result(page, result, model.results().size() > 1);
    }
    readings(page, model.readings());
    curves(page, model.curves());
    if (model.userMap() != null && !model.userMap().points().isEmpty()) {
      userMap(page, model.userMap());
    }
    settings(page, model.settings());
    limits(page, model.limits());
    return page.append("</main>\n</body>\n</html>\n").toString();
  }

  /** Everything up to the page's contents. */
  static void head(StringBuilder page, String title) {
    page.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    page.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    page.append("<meta name=\"color-scheme\" content=\"light dark\"/>\n");
    page.append("<title>").append(escape(title)).append("</title>\n<style>\n");
    page.append(styleSheet()).append("</style>\n</head>\n<body>\n<main>\n");
  }

  private static void result(StringBuilder page, Result result, boolean several) {
    Headline headline = Headline.of(result);
    page.append("<section class=\"card answer ");
    page.append(headline.verdict().name().toLowerCase(Locale.ROOT)).append("\">\n");
    page.append("<p class=\"over\">Backbone ").append(escape(result.backbone())).append("</p>\n");
    page.append("<h2>").append(escape(headline.answer())).append("</h2>\n<p>");
    page.append(escape(headline.detail())).append("</p>\n</section>\n");
    page.append("<section class=\"card\">\n<h2>Per scenario");
    if (several) {
      page.append(": ").append(escape(result.backbone()));
    }
    page.append("</h2>\n");
    if (result.compares()) {
      legend(page, EnumSet.allOf(Side.class), "swatch");
      page.append("<div class=\"scroll wide\">")
          .append(Charts.dumbbells(result))
          .append("</div>\n");
    }
    table(page, result);
    page.append("</section>\n");
    if (result.models().size() > 1) {
      ModelTable.append(page, result, several);
      ModelTable.appendScenarios(page, result, several);
      ModelTable.appendSlices(page, result, several);
    }
  }

  /** {@code key} is the style of the sign: {@code swatch} or {@code stroke}. */
  private static void legend(StringBuilder page, Set<Side> sides, String key) {
    page.append("<p class=\"legend\">");
    if (sides.contains(Side.WITHOUT)) {
      page.append("<span><i class=\"%s without\"></i>backbone alone</span>".formatted(key));
    }
    if (sides.contains(Side.WITH)) {
      page.append("<span><i class=\"%s with\"></i>with LLM4MSR</span>".formatted(key));
    }
    page.append("</p>\n");
  }

  private static void table(StringBuilder page, Result result) {
    boolean compares = result.compares();
    page.append("<div class=\"scroll\"><table>\n<thead>\n<tr><th rowspan=\"2\">Scenario</th>");
    page.append("<th rowspan=\"2\">Train rows</th><th rowspan=\"2\">Test rows</th>");
    page.append("<th rowspan=\"2\">Positives</th>");
    if (compares) {
      page.append("<th colspan=\"4\" class=\"group\">AUC ↑</th>");
      page.append("<th colspan=\"2\" class=\"group\">LogLoss ↓</th>");
      page.append("<th colspan=\"2\" class=\"group\">GAUC ↑</th></tr>\n<tr>");
      page.append("<th class=\"first\">without</th><th>with</th><th>difference</th><th>p</th>");
      page.append("<th class=\"first\">without</th><th>with</th>");
      page.append("<th class=\"first\">without</th><th>with</th></tr>\n");
    } else {
      page.append("<th class=\"group\">AUC ↑</th><th class=\"group\">LogLoss ↓</th>");
      page.append("<th class=\"group\">GAUC ↑</th></tr>\n<tr></tr>\n");
    }
    page.append("</thead>\n<tbody>\n");
    for (Row row : result.scenarios()) {
      row(page, row, compares, "");
    }
    row(page, result.overall(), compares, " class=\"total\"");
    page.append("</tbody>\n</table></div>\n");
    if (compares) {
      page.append("<p class=\"note\">Means over ").append(result.seeds());
      page.append(result.seeds() == 1 ? " seed" : " seeds, ± standard deviation");
      page.append(
          ". p: paired t-test of the AUC over the seeds, corrected by Holm for all models and ");
      page.append("backbones compared on these rows; * and bold: p &lt; 0.05. ");
      page.append("– : undefined.</p>\n");
    }
  }

  private static void row(StringBuilder page, Row row, boolean compares, String style) {
    page.append("<tr").append(style).append("><th>").append(escape(row.name())).append("</th>");
    cell(page, "", Text.count(row.trainRows()));
    cell(page, "", Text.count(row.testRows()));
    double share = row.testRows() == 0 ? Double.NaN : row.testPositives() / (double) row.testRows();
    cell(page, "", Text.percent(share));
    if (compares) {
      Scores without = row.without();
      Scores with = row.with();
      boolean significant = row.pValue() < Text.SIGNIFICANT;
      String tone = row.aucDifference() > 0 ? "up" : "down";
      cell(page, "first", auc(without));
      cell(page, "", auc(with));
      cell(page, significant ? "sure " + tone : "", Text.difference(row.aucDifference()));
      cell(page, "", Text.pValue(row.pValue()));
      cell(page, "first", Text.metric(without.logLoss()));
      cell(page, "", Text.metric(with.logLoss()));
      cell(page, "first", Text.metric(without.gauc()));
      cell(page, "", Text.metric(with.gauc()));
    } else {
      Scores scores = row.with() != null ? row.with() : row.without();
      cell(page, "first", auc(scores));
      cell(page, "first", Text.metric(scores.logLoss()));
      cell(page, "first", Text.metric(scores.gauc()));
    }
    page.append("</tr>\n");
  }

  private static String auc(Scores scores) {
    return spread(scores.auc(), scores.aucDeviation());
  }

  /** A mean and, where there is one, its deviation. */
  static String spread(double mean, double deviation) {
    String value = Text.metric(mean);
    return Double.isNaN(deviation)
        ? value
        : value + " <small>± " + Text.metric(deviation) + "</small>";
  }

  /** {@code html} is already safe. */
  static void cell(StringBuilder page, String style, String html) {
    page.append(style.isEmpty() ? "<td>" : "<td class=\"" + style + "\">");
    page.append(html).append("</td>");
  }

  private static void curves(StringBuilder page, List<Curve> curves) {
    if (curves.isEmpty()) {
      return;
    }
    Map<String, List<Curve>> byBackbone = new LinkedHashMap<>();
    Set<Side> sides = EnumSet.noneOf(Side.class);
    for (Curve curve : curves) {
      byBackbone.computeIfAbsent(curve.backbone(), k -> new ArrayList<>()).add(curve);
      sides.add(curve.side());
    }
    page.append("<section class=\"card\">\n<h2>Learning curves</h2>\n");
    legend(page, sides, "stroke");
    byBackbone.forEach((backbone, runs) -> {
      page.append("<div class=\"pair\">\n");
      page.append(Charts.lines(runs, Epoch::trainLoss, backbone + ": training loss", "epoch"));
      page.append(Charts.lines(runs, Epoch::validAuc, backbone + ": validation AUC", "epoch"));
      page.append("</div>\n");
    });
    page.append("<p class=\"note\">One line per run. The dot marks the epoch whose weights were ");
    page.append("kept: the best on the validation rows.</p>\n</section>\n");
  }

  private static void readings(StringBuilder page, List<Reading> readings) {
    if (readings.isEmpty()) {
      return;
    }
    page.append("<section class=\"card\">\n<h2>What the model leans on");
    page.append(readings.size() == 1 ? ": " + escape(readings.getFirst().model()) : "");
    page.append("</h2>\n");
    for (Reading reading : readings) {
      boolean folded = readings.size() > 1;
      if (folded) {
        page.append("<details>\n<summary>").append(escape(reading.model()));
        page.append("</summary>\n");
      }
      ReadingSections.append(page, reading.reading(), reading.scenarios());
      page.append(folded ? "</details>\n" : "");
    }
    page.append("</section>\n");
  }

  private static void userMap(StringBuilder page, UserMap map) {
    page.append("<section class=\"card\">\n<h2>Users as the language model sees them</h2>\n");
    page.append("<p class=\"legend\">");
    for (int s = 0; s < map.scenarios().size(); s++) {
      page.append("<span>").append(Charts.legendMarker(s));
      page.append(escape(map.scenarios().get(s))).append("</span>");
    }
    page.append("</p>\n").append(Charts.scatter(map));
    page.append("<p class=\"note\">One mark per user (").append(Text.count(map.points().size()));
    page.append(" shown): the frozen vector of the user's prompt on its first two principal ");
    page.append("components, marked by the scenario that the user frequents most compared with ");
    page.append("everybody else.</p>\n</section>\n");
  }

  private static void settings(StringBuilder page, List<Setting> settings) {
    page.append("<section class=\"card\">\n<h2>Settings and versions</h2>\n<dl>\n");
    for (Setting setting : settings) {
      page.append("<div><dt>").append(escape(setting.name())).append("</dt><dd>");
      page.append(escape(setting.value())).append("</dd></div>\n");
    }
    page.append("</dl>\n</section>\n");
  }

  private static void limits(StringBuilder page, List<String> limits) {
    page.append("<section class=\"card\">\n<h2>What these numbers do not show</h2>\n<ul>\n");
    for (String limit : limits) {
      page.append("<li>").append(escape(limit)).append("</li>\n");
    }
    page.append("</ul>\n</section>\n");
  }

  private static String styleSheet() {
    try (InputStream in = ReportWriter.class.getResourceAsStream("report.css")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException("the report's style sheet cannot be read", e);
    }
  }
}
