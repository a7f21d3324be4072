package org.llm4msr.bench.gpu;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Sums up a folder of results: tables on standard output, and {@code results.json} with the same.
 *
 * <pre>
 * GpuReport FOLDER DEVICE
 * </pre>
 *
 * The folder has {@code tests.jsonl} and {@code measurements.jsonl}, one JSON object a line, and
 * the conformance suite's table.
 */
public final class GpuReport {
  private static final String OURS = "llm4msr";
  private static final JsonMapper JSON = JsonMapper.shared();

  private GpuReport() {}

  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    ObjectNode results = JSON.createObjectNode().put("device", arguments[1]);
    ArrayNode tests = lines(folder.resolve("tests.jsonl"));
    ArrayNode conformance = conformance(folder.resolve("target/conformance"));
    ArrayNode measurements = lines(folder.resolve("measurements.jsonl"));
    results.set("tests", tests);
    results.set("conformance", conformance);
    results.set("measurements", measurements);
    Files.writeString(
        folder.resolve("results.json"),
        JSON.writerWithDefaultPrettyPrinter().writeValueAsString(results) + "\n");
    System.out.println(arguments[1]);
    print(conformance, "operator", "cases", "largest_error");
    print(tests, "suite", "ran", "failed", "skipped", "seconds", "result");
    printMeasurements(measurements);
  }

  private static ArrayNode lines(Path file) {
    ArrayNode lines = JSON.createArrayNode();
    for (String line : readLines(file)) {
      lines.add(JSON.readTree(line));
    }
    return lines;
  }

  /** The table's lines: operator, cases, largest normalised squared error. */
  private static ArrayNode conformance(Path folder) throws IOException {
    ArrayNode operators = JSON.createArrayNode();
    if (!Files.isDirectory(folder)) {
      return operators;
    }
    try (var files = Files.list(folder)) {
      for (Path file : files.sorted().toList()) {
        List<String> table = readLines(file);
        for (String line : table.subList(2, table.size())) {
          String[] cells = line.split("\\|");
          operators.add(
              JSON.createObjectNode()
                  .put("operator", cells[1].strip())
                  .put("cases", Integer.parseInt(cells[2].strip()))
                  .put("largest_error", Double.parseDouble(cells[3].strip())));
        }
      }
    }
    return operators;
  }

  private static List<String> readLines(Path file) {
    try {
      return Files.exists(file) ? Files.readAllLines(file) : List.of();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void print(ArrayNode rows, String... columns) {
    if (rows.isEmpty()) {
      return;
    }
    System.out.println();
    printRow(List.of(columns));
    printRow(List.of(columns).stream().map(_ -> "---").toList());
    for (JsonNode row : rows) {
      List<String> cells = new ArrayList<>();
      for (String column : columns) {
        JsonNode cell = row.path(column);
        cells.add(cell.isDouble() ? number(cell.doubleValue()) : cell.asString());
      }
      printRow(cells);
    }
  }

  /** A line for each workload, and how many times as fast as each peer we are. */
  private static void printMeasurements(ArrayNode measurements) {
    Map<String, Map<String, JsonNode>> byWorkload = new LinkedHashMap<>();
    List<String> contenders = new ArrayList<>(List.of(OURS));
    for (JsonNode measurement : measurements) {
      String contender = measurement.get("contender").asString();
      if (!contenders.contains(contender)) {
        contenders.add(contender);
      }
      byWorkload
          .computeIfAbsent(measurement.get("workload").asString(), _ -> new LinkedHashMap<>())
          .put(contender, measurement);
    }
    if (byWorkload.isEmpty()) {
      return;
    }
    System.out.println();
    List<String> head = new ArrayList<>(List.of("workload", "unit"));
    for (String contender : contenders) {
      head.add(contender.equals(OURS) ? contender : contender + " (ours is)");
    }
    printRow(head);
    printRow(head.stream().map(_ -> "---").toList());
    byWorkload.forEach((workload, of) -> {
      List<String> cells = new ArrayList<>(List.of(workload));
      cells.add(of.values().iterator().next().get("unit").asString());
      double ours = median(of.get(OURS));
      for (String contender : contenders) {
        double rate = median(of.get(contender));
        String cell = Double.isNaN(rate) ? "" : number(rate);
        if (!contender.equals(OURS) && !Double.isNaN(ours / rate)) {
          cell += String.format(Locale.ROOT, " (%.2fx)", ours / rate);
        }
        cells.add(cell);
      }
      printRow(cells);
    });
  }

  private static double median(JsonNode measurement) {
    return measurement == null ? Double.NaN : measurement.get("median").doubleValue();
  }

  /** Rates from 1000 in whole numbers, the rest in three digits. */
  private static String number(double value) {
    return value >= 1000
        ? String.format(Locale.ROOT, "%,.0f", value)
        : String.format(Locale.ROOT, "%.3g", value);
  }

  private static void printRow(List<String> cells) {
    System.out.println("| " + String.join(" | ", cells) + " |");
  }
}
