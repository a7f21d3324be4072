package org.llm4msr.app.report;

import static org.llm4msr.app.report.ReportWriter.cell;
import static org.llm4msr.app.report.Text.escape;

import org.llm4msr.app.report.ReportModel.Model;
import org.llm4msr.app.report.ReportModel.Result;

/** Everything that was compared on one backbone, the controls among it. */
final class ModelTable {
  private ModelTable() {}

  static void append(StringBuilder page, Result result, boolean several) {
    page.append("<section class=\"card\">\n<h2>Models and controls");
    if (several) {
      page.append(": ").append(escape(result.backbone()));
    }
    page.append("</h2>\n<div class=\"scroll\"><table>\n<thead>\n<tr><th>All test rows</th>");
    for (String head :
        new String[] {
          "AUC ↑",
          "difference",
          "95 % interval",
          "p",
          "LogLoss ↓",
          "GAUC ↑",
          "calibration error ↓",
          "weights",
          "seconds"
        }) {
      page.append("<th>").append(head).append("</th>");
    }
    page.append("</tr>\n</thead>\n<tbody>\n");
    for (Model model : result.models()) {
      boolean significant = model.pValue() < Text.SIGNIFICANT;
      String tone = significant ? "sure " + (model.change() > 0 ? "up" : "down") : "";
      page.append("<tr><th>").append(escape(model.name())).append("</th>");
      cell(page, "", ReportWriter.auc(model.scores()));
      cell(page, tone, Text.difference(model.change()));
      String interval = Text.difference(model.low()) + " to " + Text.difference(model.high());
      cell(page, "", Double.isNaN(model.low()) ? Text.UNDEFINED : interval);
      cell(page, "", Text.pValue(model.pValue()));
      cell(page, "first", Text.metric(model.scores().logLoss()));
      cell(page, "", Text.metric(model.scores().gauc()));
      cell(page, "", Text.metric(model.calibrationError()));
      cell(page, "first", Text.count(model.weights()));
      cell(page, "", Text.decimals(model.seconds(), 1));
      page.append("</tr>\n");
    }
    page.append("</tbody>\n</table></div>\n<p class=\"note\">Difference, 95 % interval and p ");
    page.append("(paired t-test, corrected by Holm for all models compared) against the backbone ");
    page.append("alone. A gain is due to knowledge only as far as it goes beyond the same model ");
    page.append("with random vectors.</p>\n</section>\n");
  }
}
