package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import org.llm4msr.model.training.ModelReading;
import org.llm4msr.model.training.ModelReading.Importance;
import org.llm4msr.model.training.ModelReading.Loss;

/** What a model leans on, for people. */
final class ReadingTable {
  private static final int WIDTH = 30;

  private ReadingTable() {}

  static void print(PrintWriter out, ModelReading reading, List<String> scenarios) {
    out.printf(
        Locale.ROOT,
        "%nAUC lost when an input is permuted (%d permutations, %,d rows)%n",
        reading.repeats(),
        reading.parts().getFirst().rows());
    for (Importance importance : reading.importances()) {
      Loss loss = importance.losses().getFirst();
      out.printf(
          "%-" + WIDTH + "s  %8s ± %s%n",
          importance.name(),
          MetricsTable.figure(loss.mean()),
          MetricsTable.figure(loss.deviation()));
    }
    out.printf("%n%-" + WIDTH + "s  %8s  %8s", "part", "rows", "AUC");
    List<Importance> knowledge =
        reading.importances().stream()
            .filter(importance ->
                importance.input() == ModelReading.Input.USER_KNOWLEDGE
                    || importance.input() == ModelReading.Input.SCENARIO_KNOWLEDGE)
            .toList();
    knowledge.forEach(importance -> out.printf("  %s", importance.name()));
    out.println(reading.fusion() == null ? "" : "  weight of knowledge");
    for (int p = 0; p < reading.parts().size(); p++) {
      ModelReading.Part part = reading.parts().get(p);
      out.printf(
          Locale.ROOT,
          "%-" + WIDTH + "s  %,8d  %8s",
          part.name(),
          part.rows(),
          MetricsTable.figure(part.auc()));
      for (Importance importance : knowledge) {
        String loss = MetricsTable.figure(importance.losses().get(p).mean());
        out.printf("  %" + importance.name().length() + "s", loss);
      }
      if (reading.fusion() != null) {
        out.printf("  %19s", MetricsTable.figure(reading.fusion().means().get(p)));
      }
      out.println();
    }
    double[][] distances = reading.scenarioDistances();
    if (distances.length > 0) {
      out.printf("%nDistance between the scenarios' generated layers (0: the same)%n");
      for (int s = 0; s < distances.length; s++) {
        out.printf("%-" + WIDTH + "s", scenarios.get(s));
        for (double distance : distances[s]) {
          out.printf("  %s", MetricsTable.figure(distance));
        }
        out.println();
      }
    }
    if (reading.users() != null) {
      out.printf(
          Locale.ROOT,
          "Between two of %d users: median %s, 10 %% below %s, 10 %% above %s%n",
          reading.users().users(),
          MetricsTable.figure(reading.users().distances().median()),
          MetricsTable.figure(reading.users().distances().low()),
          MetricsTable.figure(reading.users().distances().high()));
    }
    out.flush();
  }
}
