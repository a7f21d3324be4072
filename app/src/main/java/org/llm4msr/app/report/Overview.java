package org.llm4msr.app.report;

import static org.llm4msr.app.report.ReportWriter.cell;
import static org.llm4msr.app.report.Text.escape;

import java.util.List;
import org.llm4msr.app.report.ReportModel.Model;
import org.llm4msr.app.report.ReportModel.Result;
import org.llm4msr.app.report.ReportModel.Side;

/** All backbones of a comparison in one table, in the order of the results. */
final class Overview {
  private Overview() {}

  static void append(StringBuilder page, List<Result> results) {
    boolean compares = results.stream().allMatch(result -> result.model(Side.WITH).isPresent());
    boolean controlled =
        compares
            && ModelTable.isControlled(
                results.stream().flatMap(result -> result.model(Side.WITH).stream()).toList());
    page.append("<section class=\"card\">\n<h2>Backbones, best first</h2>\n");
    page.append("<div class=\"scroll\"><table class=\"stacked overview\">\n<thead>\n<tr>");
    page.append("<th>All test rows</th><th>AUC alone ↑</th>");
    if (compares) {
      page.append("<th>with LLM4MSR ↑</th><th>gain</th>");
    }
    page.append(controlled ? "<th>over random</th>" : "");
    page.append("<th>weights</th><th>seconds</th></tr>\n</thead>\n<tbody>\n");
    for (Result result : results) {
      Model alone = result.model(Side.WITHOUT).orElseThrow();
      Model main = compares ? result.model(Side.WITH).orElseThrow() : alone;
      page.append("<tr><th>").append(escape(result.backbone())).append("</th>");
      cell(page, "", ModelTable.mean(alone.auc()));
      if (compares) {
        cell(page, "", ModelTable.mean(main.auc()));
        ModelTable.change(page, main.auc().change(), 1);
      }
      if (controlled) {
        ModelTable.change(page, main.auc().overRandom(), 1);
      }
      cell(page, "", Text.count(main.weights()));
      cell(page, "", Text.decimals(main.seconds(), 1));
      page.append("</tr>\n");
    }
    page.append("</tbody>\n</table></div>\n<p class=\"note\">");
    page.append(
        compares
            ? ModelTable.NOTE + " Weights and seconds are those of the model with LLM4MSR."
            : ModelTable.MEANS);
    page.append("</p>\n</section>\n");
  }
}
