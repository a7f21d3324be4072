package org.llm4msr.runtime.conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** How well a backend does, operator by operator. */
final class ConformanceTable {
  private static final class Line {
    private final Set<ConformanceCase> cases = new HashSet<>();
    private double largest;
  }

  private final Map<String, Line> lines = new TreeMap<>();

  /**
   * @param rounded whether the backend rounds more by design, which has a line of its own
   */
  void add(ConformanceCase conformanceCase, boolean rounded, double error) {
    String operator = conformanceCase.op().name() + (rounded ? ", rounded" : "");
    Line line = lines.computeIfAbsent(operator, name -> new Line());
    line.cases.add(conformanceCase);
    line.largest = Math.max(line.largest, error);
  }

  /** Writes {@code target/conformance/<name>.md}. */
  void write(String name) throws IOException {
    StringBuilder text = new StringBuilder("| operator | cases | largest error |\n|---|---|---|\n");
    lines.forEach((operator, line) ->
        text.append(
            String.format(
                Locale.ROOT, "| %s | %d | %.1e |%n", operator, line.cases.size(), line.largest)));
    Path folder = Files.createDirectories(Path.of("target", "conformance"));
    Files.writeString(folder.resolve(name.replace(", threads ", "-") + ".md"), text);
  }
}
