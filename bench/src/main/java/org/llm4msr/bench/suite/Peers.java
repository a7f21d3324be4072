package org.llm4msr.bench.suite;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
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

  /** Contenders beside ones of floats that compute in 8-bit integers say so. */
  private static final String INT8_NAME = ".*(int8|w8a8|_a8|I8).*";

  private static final String ROUNDS = "5";
  private static final String MODELS = "bench/target/peers/";
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
      compare("llama", threads, "1x128", ROUNDS, MODELS + "bf16.gguf");
      compare("llama", threads, "1x128", ROUNDS, MODELS + "q8_0.gguf", "a8");
      compare("onnx", threads, "8x128", ROUNDS, MODELS + "minilm.onnx", MODELS + "minilm");
    }
    for (String knowledgeWidth : List.of("0", "896")) {
      compare("scoring", "200", knowledgeWidth, ROUNDS, "f32");
      compare("scoring", "200", knowledgeWidth, ROUNDS, "int8");
    }
    for (String backbone : List.of("star", "mmoe", "ple")) {
      compare("training", backbone, "2", "4096", "0", "lazy", ROUNDS);
      compare("training", backbone, "2", "512", "896", "lazy", ROUNDS);
    }
    System.out.println();
    System.out.println("ours to the fastest peer that computes in as many bits, and to the first:");
    table.forEach(System.out::println);
  }

  private void row(String name, String text) {
    table.add(String.format("%-34s %s", name.replace(MODELS, ""), text));
  }

  private void compare(String... arguments) {
    String name = String.join(" ", arguments);
    for (String argument : arguments) {
      if (argument.startsWith(MODELS) && !Files.exists(Path.of(argument))) {
        row(name, "not measured: " + argument + " is missing");
        return;
      }
    }
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
        row(name, "failed: " + why);
        return;
      }
      results.add(name, contenders);
      results.save();
      ratios(contenders).forEach(text -> row(name, text));
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

  /** A line for what computes in floats, and one for what computes in 8-bit integers. */
  private static List<String> ratios(ArrayNode contenders) {
    List<String> lines = new ArrayList<>();
    for (boolean int8 : new boolean[] {false, true}) {
      List<JsonNode> alike =
          contenders
              .valueStream()
              .filter(contender -> contender.path("name").asString().matches(INT8_NAME) == int8)
              .toList();
      List<JsonNode> peers = alike.stream().filter(contender -> !isOurs(contender)).toList();
      JsonNode ours = fastest(alike.stream().filter(Peers::isOurs).toList());
      JsonNode peer = fastest(peers);
      if (ours != null && peer != null) {
        lines.add(
            String.format(
                Locale.ROOT,
                "%,12.0f /s  %s%s%s",
                ours.path("median").asDouble(),
                ratio(ours, peer),
                peer == peers.getFirst() ? "" : ", " + ratio(ours, peers.getFirst()),
                ours.path("quiet").asBoolean() ? "" : "  NOT quiet"));
      }
    }
    return lines;
  }

  private static String ratio(JsonNode ours, JsonNode peer) {
    return String.format(
        Locale.ROOT,
        "%.2fx %s",
        ours.path("medianRatio").asDouble() / peer.path("medianRatio").asDouble(),
        peer.path("name").asString());
  }

  private static boolean isOurs(JsonNode contender) {
    return contender.path("name").asString().startsWith(OURS);
  }

  private static JsonNode fastest(List<JsonNode> contenders) {
    return contenders.stream()
        .max(Comparator.comparingDouble(contender -> contender.path("median").asDouble()))
        .orElse(null);
  }
}
