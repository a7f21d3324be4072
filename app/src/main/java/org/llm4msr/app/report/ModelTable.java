package org.llm4msr.app.report;

import static org.llm4msr.app.report.ReportWriter.cell;
import static org.llm4msr.app.report.Text.escape;

import java.util.List;
import org.llm4msr.app.report.ReportModel.Change;
import org.llm4msr.app.report.ReportModel.Figure;
import org.llm4msr.app.report.ReportModel.Model;
import org.llm4msr.app.report.ReportModel.Part;
import org.llm4msr.app.report.ReportModel.Result;

/** Everything that was compared on one backbone, the controls among it. */
final class ModelTable {
  static final String MEANS = "Means over the seeds ± standard deviation.";

  /** What the differences of all tables are. */
  static final String NOTE =
      MEANS
          + " Differences against the backbone alone, or against random vectors where it says so,"
          + " with their 95 % interval and p: paired t-test over the seeds, corrected by Holm for"
          + " all models and backbones compared on these rows. A gain is due to knowledge only as"
          + " far as it goes beyond the same model with random vectors.";

  private ModelTable() {}

  static void append(StringBuilder page, Result result, boolean several) {
    open(page, "Models and controls", result, several);
    table(page, "All test rows", result.models());
    page.append("<p class=\"note\">").append(NOTE).append("</p>\n</section>\n");
  }

  /** The same on each scenario. */
  static void appendScenarios(StringBuilder page, Result result, boolean several) {
    parts(page, "Models and controls per scenario", result, result.byScenario(), several);
  }

  /** The same on each slice. */
  static void appendSlices(StringBuilder page, Result result, boolean several) {
    parts(page, "Where knowledge should matter", result, result.slices(), several);
  }

  /** Where several backbones were compared, one has to open what one wants to see. */
  private static void parts(
      StringBuilder page, String title, Result result, List<Part> parts, boolean several) {
    open(page, title, result, several);
    for (Part part : parts) {
      page.append(several ? "<details>" : "<details open=\"open\">").append("\n<summary>");
      page.append(escape(part.name())).append(": ");
      page.append(Text.count(part.rows())).append(" test rows</summary>\n");
      if (part.rows() > 0) {
        table(page, "Model", part.models());
      }
      page.append("</details>\n");
    }
    page.append("</section>\n");
  }

  private static void open(StringBuilder page, String title, Result result, boolean several) {
    page.append("<section class=\"card\">\n<h2>").append(title);
    if (several) {
      page.append(": ").append(escape(result.backbone()));
    }
    page.append("</h2>\n");
  }

  /** Whether some of them were measured against random vectors. */
  static boolean isControlled(List<Model> models) {
    return models.stream().anyMatch(model -> !Double.isNaN(model.auc().overRandom().mean()));
  }

  private static void table(StringBuilder page, String first, List<Model> models) {
    boolean controlled = isControlled(models);
    String[] against =
        controlled ? new String[] {"difference", "over random"} : new String[] {"difference"};
    page.append("<div class=\"scroll\"><table class=\"stacked\">\n<thead>\n<tr><th rowspan=\"2\">");
    page.append(first).append("</th>");
    group(page, "AUC ↑", against.length + 2);
    group(page, "LogLoss ↓", against.length + 1);
    group(page, "GAUC ↑", 2);
    group(page, "calibration error ↓", 2);
    group(page, "training", 1);
    page.append("</tr>\n<tr>");
    heads(page, "mean", against);
    heads(page, null, "RelaImpr");
    heads(page, "mean", against);
    heads(page, "mean", "difference");
    heads(page, "mean", "difference");
    heads(page, "weights, time");
    page.append("</tr>\n</thead>\n<tbody>\n");
    models.forEach(model -> row(page, model, controlled));
    page.append("</tbody>\n</table></div>\n");
  }

  private static void group(StringBuilder page, String measure, int columns) {
    page.append("<th colspan=\"").append(columns).append("\" class=\"group\">");
    page.append(measure).append("</th>");
  }

  /**
   * @param first set off from what is before it, or null for none
   */
  private static void heads(StringBuilder page, String first, String... others) {
    if (first != null) {
      page.append("<th class=\"first\">").append(first).append("</th>");
    }
    for (String head : others) {
      page.append("<th>").append(head).append("</th>");
    }
  }

  private static void row(StringBuilder page, Model model, boolean controlled) {
    page.append("<tr><th>").append(escape(model.name())).append("</th>");
    figure(page, model.auc(), controlled, 1);
    cell(page, "", Text.signedPercent(model.relaImpr()));
    figure(page, model.logLoss(), controlled, -1);
    figure(page, model.gauc(), false, 1);
    figure(page, model.calibrationError(), false, -1);
    String seconds = Text.decimals(model.seconds(), 1);
    cell(page, "first", Text.count(model.weights()) + " <small>" + seconds + " s</small>");
    page.append("</tr>\n");
  }

  private static void figure(StringBuilder page, Figure figure, boolean controlled, int better) {
    cell(page, "first", mean(figure));
    change(page, figure.change(), better);
    if (controlled) {
      change(page, figure.overRandom(), better);
    }
  }

  /** A figure's mean and deviation. */
  static String mean(Figure figure) {
    return ReportWriter.spread(figure.mean(), figure.deviation());
  }

  /**
   * Difference, interval and p in one cell.
   *
   * @param better 1 where more is better, -1 where less is
   */
  static void change(StringBuilder page, Change change, int better) {
    if (Double.isNaN(change.mean())) {
      cell(page, "", Text.UNDEFINED);
      return;
    }
    boolean significant = change.pValue() < Text.SIGNIFICANT;
    String tone = significant ? "sure " + (better * change.mean() > 0 ? "up" : "down") : "";
    StringBuilder text = new StringBuilder(Text.difference(change.mean()));
    if (!Double.isNaN(change.low())) {
      text.append(" <small>").append(Text.difference(change.low())).append(" to ");
      text.append(Text.difference(change.high())).append("</small>");
    }
    text.append(" <small>p ").append(Text.pValue(change.pValue())).append("</small>");
    cell(page, tone, text.toString());
  }
}
