package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.Map;
import org.llm4msr.app.run.RunMetrics;
import org.llm4msr.model.metrics.MetricsReport.Values;

/** A run's metrics for people. */
final class MetricsTable {
  private MetricsTable() {}

  static void print(PrintWriter out, String title, RunMetrics metrics) {
    Map<String, Values> parts = metrics.parts();
    int width = parts.keySet().stream().mapToInt(String::length).max().orElse(0);
    width = Math.max(width, title.length());
    String format = "%-" + width + "s  %8s  %8s  %8s  %9s%n";
    out.printf(format, title, "AUC", "LogLoss", "GAUC", "rows");
    parts.forEach((name, values) ->
        out.printf(
            format,
            name,
            figure(values.auc()),
            figure(values.logLoss()),
            figure(values.gauc()),
            String.format(Locale.ROOT, "%,d", values.rows())));
    out.flush();
  }

  /** Four decimals, or a dash for what is undefined. */
  static String figure(double value) {
    return Double.isFinite(value) ? String.format(Locale.ROOT, "%.4f", value) : "-";
  }
}
