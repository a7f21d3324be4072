package org.llm4msr.app.report;

import static org.llm4msr.app.report.ReportWriter.cell;
import static org.llm4msr.app.report.Text.escape;

import java.util.List;
import org.llm4msr.app.report.ReportModel.Change;
import org.llm4msr.app.report.ReportModel.Model;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Slice;

/** Everything that was compared on one backbone, the controls among it. */
final class ModelTable {
  private ModelTable() {}

  static void append(StringBuilder page, Result result, boolean several) {
    open(page, "Models and controls", result, several);
    boolean controlled = isControlled(result.models());
    head(page, "All test rows", controlled, "GAUC ↑", "calibration error ↓", "weights", "seconds");
    for (Model model : result.models()) {
      row(page, model, controlled);
      cell(page, "first", Text.metric(model.scores().gauc()));
      cell(page, "", Text.metric(model.calibrationError()));
      cell(page, "", Text.count(model.weights()));
      cell(page, "", Text.decimals(model.seconds(), 1));
      page.append("</tr>\n");
    }
    page.append("</tbody>\n</table></div>\n<p class=\"note\">Difference, 95 % interval and p ");
    page.append("(paired t-test, corrected by Holm for all models compared) against the backbone ");
    page.append("alone, or against random vectors where it says so. A gain is due to knowledge ");
    page.append("only as far as it goes beyond the same model with random vectors.</p>\n");
    page.append("</section>\n");
  }

  /** The same on each slice. */
  static void appendSlices(StringBuilder page, Result result, boolean several) {
    open(page, "Where knowledge should matter", result, several);
    for (Slice slice : result.slices()) {
      page.append("<h3>").append(escape(slice.name())).append(": ");
      page.append(Text.count(slice.rows())).append(" test rows</h3>\n");
      if (slice.rows() == 0) {
        continue;
      }
      boolean controlled = isControlled(slice.models());
      head(page, "Model", controlled);
      for (Model model : slice.models()) {
        row(page, model, controlled);
        page.append("</tr>\n");
      }
      page.append("</tbody>\n</table></div>\n");
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

  private static boolean isControlled(List<Model> models) {
    return models.stream().anyMatch(model -> !Double.isNaN(model.aucOverRandom().mean()));
  }

  private static void head(StringBuilder page, String first, boolean controlled, String... others) {
    page.append("<div class=\"scroll\"><table>\n<thead>\n<tr><th>").append(first).append("</th>");
    for (String measure : List.of("AUC ↑", "LogLoss ↓")) {
      th(page, measure, "difference", "95 % interval", "p");
      if (controlled) {
        th(page, "over random", "95 % interval", "p");
      }
    }
    th(page, others);
    page.append("</tr>\n</thead>\n<tbody>\n");
  }

  private static void th(StringBuilder page, String... heads) {
    for (String head : heads) {
      page.append("<th>").append(head).append("</th>");
    }
  }

  private static void row(StringBuilder page, Model model, boolean controlled) {
    page.append("<tr><th>").append(escape(model.name())).append("</th>");
    cell(page, "first", ReportWriter.auc(model.scores()));
    change(page, model.auc(), 1);
    if (controlled) {
      change(page, model.aucOverRandom(), 1);
    }
    String logLoss = Text.metric(model.scores().logLoss());
    double deviation = model.scores().logLossDeviation();
    cell(
        page, "first", Double.isNaN(deviation) ? logLoss : ReportWriter.spread(logLoss, deviation));
    change(page, model.logLoss(), -1);
    if (controlled) {
      change(page, model.logLossOverRandom(), -1);
    }
  }

  /**
   * @param better 1 where more is better, -1 where less is
   */
  private static void change(StringBuilder page, Change change, int better) {
    boolean significant = change.pValue() < Text.SIGNIFICANT;
    String tone = significant ? "sure " + (better * change.mean() > 0 ? "up" : "down") : "";
    cell(page, tone, Text.difference(change.mean()));
    String interval = Text.difference(change.low()) + " to " + Text.difference(change.high());
    cell(page, "", Double.isNaN(change.low()) ? Text.UNDEFINED : interval);
    cell(page, "", Text.pValue(change.pValue()));
  }
}
