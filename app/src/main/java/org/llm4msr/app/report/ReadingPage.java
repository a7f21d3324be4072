package org.llm4msr.app.report;

import static org.llm4msr.app.report.Text.escape;

import java.util.List;
import org.llm4msr.model.training.ModelReading;

/** What a model leans on as one HTML page. */
public final class ReadingPage {
  private ReadingPage() {}

  /**
   * @param run name of the run
   * @param scenarios in the order of the distances
   */
  public static String html(String run, ModelReading reading, List<String> scenarios) {
    StringBuilder page = new StringBuilder(1 << 15);
    ReportWriter.head(page, "What the model leans on");
    page.append("<header>\n<p class=\"brand\">llm4msr</p>\n<h1>What the model leans on</h1>\n");
    page.append("<p class=\"data\">").append(escape(run)).append("</p>\n</header>\n");
    page.append("<section class=\"card\">\n");
    ReadingSections.append(page, reading, scenarios);
    return page.append("</section>\n</main>\n</body>\n</html>\n").toString();
  }
}
