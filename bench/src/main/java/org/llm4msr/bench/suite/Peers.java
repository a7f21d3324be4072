package org.llm4msr.bench.suite;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;

/**
 * The comparisons of {@code bench/peers.sh} one after the other, each in a process of its own: one
 * that fails or hangs is told of and the others run.
 */
final class Peers {
  /** Longest time that a comparison may take. */
  private static final long MINUTES = 10;

  private static final String OURS = "llm4msr";
  private static final String ROUNDS = "5";
  private static final Path MODELS = Path.of("bench/target/peers");
  private static final JsonMapper JSON = JsonMapper.shared();

  private final Results results;
  private final List<String> table = new ArrayList<>();

  Peers(Results results) {
    this.results = results;
  }

  void run() {
    for (String threads :
        List.of("1", String.valueOf(Runtime.getRuntime().availableProcessors()))) {
      compare("encoding", threads, "8x128", ROUNDS);
      compare("encoding", threads, "1x128", ROUNDS);
      compare("jlama", threads, "1x128", ROUNDS);
      for (String type : List.of("bf16", "q8_0")) {
        compareIfMade("llama", threads, "1x128", ROUNDS, MODELS.resolve(type + ".gguf"));
      }
      compareIfMade(
          "onnx",
          threads,
          "8x128",
          ROUNDS,
          MODELS.resolve("minilm.onnx"),
          MODELS.resolve("minilm"));
    }
    compare("scoring", "200", "0", ROUNDS);
    compare("scoring", "200", "896", ROUNDS);
    for (String backbone : List.of("star", "mmoe", "ple")) {
      compare("training", backbone, "2", "4096", "0", "lazy", ROUNDS);
    }
    System.out.println();
    System.out.println("ours to the fastest peer, medians of ratios of neighbours:");
    table.forEach(System.out::println);
  }

  private void compareIfMade(
      String kind, String threads, String shape, String rounds, Path... files) {
    List<String> command = new ArrayList<>(List.of(kind, threads, shape, rounds));
    for (Path file : files) {
      if (!Files.exists(file)) {
        table.add(String.format("%-44s not measured: %s is missing", kind + " " + threads, file));
        return;
      }
      command.add(file.toString());
    }
    compare(command.toArray(String[]::new));
  }

  private void compare(String... arguments) {
    String name = String.join(" ", arguments);
    System.out.println("bench/peers.sh " + name);
    List<String> command = new ArrayList<>(List.of("bench/peers.sh"));
    command.addAll(List.of(arguments));
    try {
      Path lines = Files.createTempFile("peers", ".jsonl");
      ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
      builder.environment().put("SKIP_BUILD", "1");
      builder.environment().put("BENCH_ROUNDS_FILE", lines.toString());
      Process process = builder.start();
      Thread stopped = new Thread(() -> stop(process));
      Runtime.getRuntime().addShutdownHook(stopped);
      boolean done = process.waitFor(MINUTES, TimeUnit.MINUTES);
      stop(process);
      Runtime.getRuntime().removeShutdownHook(stopped);
      ArrayNode contenders = JSON.createArrayNode();
      for (String line : Files.readAllLines(lines)) {
        contenders.add(JSON.readTree(line));
      }
      Files.delete(lines);
      if (!done || process.exitValue() != 0 || contenders.isEmpty()) {
        String why = done ? "exit code " + process.exitValue() : "longer than " + MINUTES + " min";
        table.add(String.format("%-44s failed: %s", name, why));
        return;
      }
      results.add(name, contenders);
      results.save();
      table.add(ratio(name, contenders));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void stop(Process process) {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  private static String ratio(String name, ArrayNode contenders) {
    JsonNode ours = best(contenders, true);
    JsonNode peer = best(contenders, false);
    if (ours == null || peer == null) {
      return String.format("%-44s names no peer", name);
    }
    return String.format(
        Locale.ROOT,
        "%-44s %,12.0f /s %6.2fx %s%s",
        name,
        ours.path("median").asDouble(),
        ours.path("medianRatio").asDouble() / peer.path("medianRatio").asDouble(),
        peer.path("name").asString(),
        ours.path("quiet").asBoolean() ? "" : "  NOT quiet");
  }

  private static JsonNode best(ArrayNode contenders, boolean isOurs) {
    JsonNode best = null;
    for (JsonNode contender : contenders) {
      if (contender.path("name").asString().startsWith(OURS) == isOurs
          && (best == null
              || contender.path("median").asDouble() > best.path("median").asDouble())) {
        best = contender;
      }
    }
    return best;
  }
}
