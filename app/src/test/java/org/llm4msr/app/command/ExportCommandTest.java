package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.app.run.TinyShop;
import org.llm4msr.runtime.memory.AllocationTracker;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** From a trained run to scores of requests. */
class ExportCommandTest {
  @TempDir private Path folder;
  private Path run;

  @BeforeEach
  void train() throws IOException {
    TinyShop shop = TinyShop.write(folder, 2_000);
    run = folder.resolve("run");
    CommandLineRun.train(shop, run, "--epochs=2", "--lr=0.01", "--hidden=12", "--embedding-dim=6");
  }

  @AfterEach
  void nothingStaysOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  /** Of the run's predictions: the request, and the probability at the end. */
  private void writeRequests(Path file, List<Float> probabilities) throws IOException {
    List<String> log = Files.readAllLines(folder.resolve("log.csv"));
    List<String> requests = new ArrayList<>();
    for (String line : Files.readAllLines(run.resolve("predictions.csv")).subList(1, 201)) {
      // row, user, "i, number", scenario, label, probability
      String[] fields = line.split(",");
      String kind = log.get(Integer.parseInt(fields[0])).split(",")[3];
      requests.add(
          """
          {"user": "%s", "scenario": "%s", "items": ["i,%s"], "context": {"kind": "%s"}}\
          """
              .formatted(fields[1], fields[4], fields[3].replace("\"", ""), kind));
      probabilities.add(Float.valueOf(fields[6]));
    }
    Files.write(file, requests);
  }

  private static void assertScores(CommandLineRun scored, List<Float> expected) {
    assertThat(scored.exitCode()).as(scored.err()).isZero();
    List<String> lines = scored.out().lines().toList();
    assertThat(lines).hasSameSizeAs(expected);
    for (int i = 0; i < lines.size(); i++) {
      JsonNode answer = JsonMapper.shared().readTree(lines.get(i));
      assertThat(answer.at("/probabilities/0").floatValue())
          .isCloseTo(expected.get(i), within(1e-5f));
    }
  }

  @Test
  void exportedModelsScoreAsEvaluated() throws IOException {
    Path requests = folder.resolve("requests.jsonl");
    List<Float> expected = new ArrayList<>();
    writeRequests(requests, expected);
    for (String precompute : new String[] {"--precompute", "--no-precompute"}) {
      Path file = folder.resolve(precompute + ".snapshot");
      CommandLineRun exported =
          CommandLineRun.of(
              "export", "--run", run.toString(), "--out", file.toString(), precompute);
      assertThat(exported.exitCode()).as(exported.err()).isZero();
      assertThat(exported.out()).contains("star", "store, web", "on 200 test rows", "KiB");
      assertScores(
          CommandLineRun.of("score", "--snapshot=" + file, "--input", requests.toString()),
          expected);
    }
    assertThat(
            Files.mismatch(
                folder.resolve("--precompute.snapshot"),
                folder.resolve("--no-precompute.snapshot")))
        .isNotNegative();
    assertScores(
        CommandLineRun.of("score", "--run=" + run, "--input", requests.toString()), expected);
  }

  @Test
  void ranksTheBestFirst() throws IOException {
    Path file = export();
    Path requests = folder.resolve("requests.jsonl");
    Files.writeString(
        requests,
        """
        {"user": "u1", "scenario": "web", "items": ["i,0", "i,1", "i,2", 7]}

        {"user": null, "scenario": "store", "items": ["i,3", "i,4"], "top": 1}
        """);
    CommandLineRun plain = CommandLineRun.of("score", "--snapshot=" + file, "--input=" + requests);
    JsonNode all = JsonMapper.shared().readTree(plain.out().lines().findFirst().orElseThrow());
    CommandLineRun ranked =
        CommandLineRun.of("score", "--snapshot=" + file, "--input=" + requests, "--top", "3");
    assertThat(ranked.exitCode()).as(ranked.err()).isZero();
    List<JsonNode> answers =
        ranked.out().lines().map(line -> JsonMapper.shared().readTree(line)).toList();
    double[] sorted =
        all.get("probabilities")
            .valueStream()
            .mapToDouble(JsonNode::doubleValue)
            .map(p -> -p)
            .sorted()
            .map(p -> -p)
            .limit(3)
            .toArray();
    assertThat(
            answers
                .get(0)
                .get("items")
                .valueStream()
                .mapToDouble(item -> item.get("probability").doubleValue()))
        .containsExactly(java.util.Arrays.stream(sorted).boxed().toArray(Double[]::new));
    assertThat(answers.get(1).get("items")).hasSize(1);
  }

  private Path export() {
    Path file = folder.resolve("a.snapshot");
    CommandLineRun exported =
        CommandLineRun.of("export", "--run=" + run, "--out=" + file, "--json");
    assertThat(exported.exitCode()).as(exported.err()).isZero();
    JsonNode described = JsonMapper.shared().readTree(exported.out());
    assertThat(described.get("checked_rows").intValue()).isEqualTo(200);
    assertThat(described.get("largest_difference").doubleValue()).isLessThanOrEqualTo(1e-5);
    return file;
  }

  @ParameterizedTest
  @ValueSource(strings = {"bf16", "int8"})
  void roundingIsHeldAgainstABoundOfTheAuc(String precision) throws IOException {
    Path file = folder.resolve("rounded.snapshot");
    CommandLineRun exported =
        CommandLineRun.of(
            "export", "--run=" + run, "--out=" + file, "--" + precision, "--max-auc-loss=0.05");
    assertThat(exported.exitCode()).as(exported.err()).isZero();
    assertThat(exported.out())
        .contains(
            "on 200 test rows",
            precision.toUpperCase(Locale.ROOT) + " costs at most ",
            " of an AUC, of");
    assertThat(Files.size(file)).isLessThan(Files.size(export()));
    CommandLineRun wrong =
        CommandLineRun.of("export", "--run=" + run, "--out=" + file, "--max-auc-loss=-1");
    assertThat(wrong.exitCode()).isEqualTo(2);
    assertThat(wrong.err()).contains("--max-auc-loss: expected 0 or more");
    CommandLineRun both =
        CommandLineRun.of("export", "--run=" + run, "--out=" + file, "--bf16", "--int8");
    assertThat(both.exitCode()).isEqualTo(2);
    assertThat(both.err()).contains("--bf16", "--int8", "mutually exclusive");
  }

  @Test
  void badLinesAreNamed() throws IOException {
    Path file = export();
    String good = "{\"user\": \"u1\", \"scenario\": \"web\", \"items\": [\"i,0\"]";
    String[][] cases = {
      {"{", "not valid JSON"},
      {"[1]", "expected a JSON object"},
      {good + ", \"mood\": 1}", "mood: unknown field"},
      {good + ", \"user\": \"u2\"}", "not valid JSON"},
      {"{\"scenario\": \"web\", \"items\": []}", "user: missing"},
      {"{\"user\": 1.5, \"scenario\": \"web\", \"items\": []}", "user: expected a string"},
      {"{\"user\": 1, \"items\": []}", "scenario: expected"},
      {
        "{\"user\": 1, \"scenario\": \"moon\", \"items\": []}",
        "no scenario 'moon'; there are store, web"
      },
      {"{\"user\": 1, \"scenario\": \"web\", \"items\": 3}", "items: expected an array"},
      {"{\"user\": 1, \"scenario\": \"web\", \"items\": [[]]}", "items[0]: expected"},
      {good + ", \"context\": {\"x\": \"1\"}}", "context: no field 'x'; there are kind"},
      {good + ", \"context\": {\"kind\": {}}}", "context.kind: expected"},
      {good + ", \"logits\": [1, 2]}", "logits: expected an array of numbers, one for each of 1"},
      {good + ", \"logits\": [1e999]}", "logits[0]: expected a finite"},
      {good + ", \"top\": 0}", "top: expected a whole number"},
    };
    Path requests = folder.resolve("requests.jsonl");
    for (String[] line : cases) {
      Files.writeString(requests, good + "}\n" + line[0] + "\n");
      CommandLineRun scored =
          CommandLineRun.of("score", "--snapshot=" + file, "--input=" + requests);
      assertThat(scored.exitCode()).isEqualTo(1);
      assertThat(scored.out().lines()).hasSize(1);
      assertThat(scored.err()).contains("requests.jsonl:2: ", line[1]).doesNotContain("internal");
    }
  }

  @Test
  void whatCannotBeExportedIsRefusedAndLeavesNothing() throws IOException {
    Path log = folder.resolve("log.csv");
    Path file = folder.resolve("none.snapshot");
    refuse(file, folder.toString(), "no run here");
    refuse(folder, run.toString(), "not a regular file");
    Files.delete(run.resolve("metrics.json"));
    refuse(file, run.toString(), "not finished");
    Files.writeString(log, Files.readString(log).replaceFirst(",0,train", ",1,train"));
    refuse(file, run.toString(), "the data have changed since the run");
    assertThat(file).doesNotExist();
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files.map(Path::toString)).noneMatch(name -> name.contains("unchecked"));
    }
    CommandLineRun scored = CommandLineRun.of("score", "--snapshot=" + log, "--input=" + log);
    assertThat(scored.err()).contains("log.csv", "snapshot");
    assertThat(CommandLineRun.of("score", "--input=" + log).exitCode()).isEqualTo(2);
  }

  private static void refuse(Path file, String run, String message) {
    CommandLineRun exported = CommandLineRun.of("export", "--run=" + run, "--out=" + file);
    assertThat(exported.exitCode()).as(exported.err()).isEqualTo(1);
    assertThat(exported.err()).contains(message).doesNotContain("internal");
  }
}
