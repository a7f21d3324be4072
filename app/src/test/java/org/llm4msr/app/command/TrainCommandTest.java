package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.run.TinyShop;
import org.llm4msr.runtime.memory.AllocationTracker;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class TrainCommandTest {
  @TempDir private Path folder;
  private TinyShop shop;

  @BeforeEach
  void writeShop() throws IOException {
    shop = TinyShop.write(folder, 2_000);
  }

  @AfterEach
  void nothingStaysOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private String[] train(String out, String... more) {
    Map<String, String> defaults = new LinkedHashMap<>();
    defaults.put("--batch-size", "128");
    defaults.put("--epochs", "4");
    defaults.put("--lr", "0.01");
    defaults.put("--hidden", "12");
    defaults.put("--embedding-dim", "6");
    defaults.put("--patience", "0");
    List<String> args =
        new ArrayList<>(
            List.of("train", "--data", shop.data(), "--out", folder.resolve(out).toString()));
    args.addAll(List.of(more));
    defaults.forEach((option, value) -> {
      if (!args.contains(option)) {
        args.addAll(List.of(option, value));
      }
    });
    return args.toArray(String[]::new);
  }

  private Path run(String out, String file) {
    return folder.resolve(out).resolve(file);
  }

  /** AUC by counting pairs, from the predictions' file. */
  private static double pairsAuc(Path predictions, String scenario) throws IOException {
    List<Double> positive = new ArrayList<>();
    List<Double> negative = new ArrayList<>();
    for (String line : Files.readAllLines(predictions).subList(1, 201)) {
      // The item's id holds a comma and stands in quotes.
      String[] fields = line.split(",");
      if (scenario == null || fields[4].equals(scenario)) {
        (fields[5].equals("1") ? positive : negative).add(Double.valueOf(fields[6]));
      }
    }
    double wins = 0;
    for (double p : positive) {
      for (double n : negative) {
        wins += p > n ? 1 : p == n ? 0.5 : 0;
      }
    }
    return wins / positive.size() / negative.size();
  }

  /** Otherwise training would stop after its patience with the last weights. */
  @Test
  void aStopMetricThatValidationRowsDoNotDefineIsRefused() throws IOException {
    Path log = folder.resolve("log.csv");
    Files.writeString(log, Files.readString(log).replace("store,0,valid", "store,1,valid"));
    List<String> tune = List.of("tune", "--data", shop.data(), "--out", run("t", "").toString());
    for (String[] args :
        List.of(
            train("r", "--stop-scenario", "store"),
            Stream.concat(tune.stream(), Stream.of("--stop-scenario", "store"))
                .toArray(String[]::new))) {
      CommandLineRun refused = CommandLineRun.of(args);
      assertThat(refused.exitCode()).isEqualTo(1);
      assertThat(refused.err())
          .contains("the validation rows of scenario store all have label 1")
          .doesNotContain("diverged");
    }
  }

  /** In the tiny shop users like kinds of items, and the vectors say which. */
  @Test
  void anEvaluationExplainsWhatTheModelLeansOn() throws IOException {
    Path run = folder.resolve("explained");
    CommandLineRun.train(shop, run, "--epochs=8", "--lr=0.01", "--hidden=12", "--fusion=evidence");
    CommandLineRun json =
        CommandLineRun.of("evaluate", "--run", run.toString(), "--explain", "--json");
    assertThat(json.exitCode()).as(json.err()).isZero();
    JsonNode reading = JsonMapper.shared().readTree(json.out()).get("reading");
    assertThat(JsonMapper.shared().readTree(run.resolve("reading.json"))).isEqualTo(reading);
    assertThat(reading.at("/parts/0/rows").asInt()).isEqualTo(200);
    JsonNode importances = reading.get("importances");
    assertThat(importances.valueStream().map(node -> node.get("name").stringValue()))
        .containsExactly(
            "user", "item", "kind", "knowledge of the user", "knowledge of the scenario");
    assertThat(reading.at("/weight_of_knowledge/curve")).hasSizeGreaterThan(5);
    assertThat(reading.at("/scenario_distances/web/web").asDouble()).isZero();
    CommandLineRun table = CommandLineRun.of("evaluate", "--run", run.toString(), "--explain");
    assertThat(table.out()).contains("knowledge of the user", "weight of knowledge", "Distance");
    assertThat(Files.readString(run.resolve("reading.html")))
        .contains(
            "<svg", "Who leans on the knowledge", "store", "How much the generated layers differ");
    // The run's own report has shown the same, as training ended.
    String report = Files.readString(run.resolve("report.html"));
    assertThat(report)
        .contains("What the model leans on: star with LLM4MSR", "How much the generated layers")
        .contains("<td>%.4f</td>".formatted(pairsAuc(run.resolve("predictions.csv"), "store")));
    for (JsonNode importance : importances) {
      double mean = importance.at("/auc_losses/0/mean").asDouble();
      assertThat(report)
          .contains(
              importance.get("name").stringValue(),
              "%.4f ± %.4f</text>"
                  .formatted(Math.abs(mean), importance.at("/auc_losses/0/deviation").asDouble()));
    }
    JsonNode curve = reading.at("/weight_of_knowledge/curve/0/new_item");
    assertThat(report).contains("0 rows, new item: %.4f<".formatted(curve.asDouble()));
  }

  @Test
  void aRunLeavesEverythingAndEvaluateReadsItBack() throws IOException {
    CommandLineRun trained =
        CommandLineRun.of(
            train("run", "--knowledge", shop.knowledge(), "--cross-fit", "0", "--json"));
    assertThat(trained.err()).contains("epoch 4, step");
    assertThat(trained.exitCode()).isZero();
    JsonNode metrics = JsonMapper.shared().readTree(run("run", "metrics.json"));
    assertThat(JsonMapper.shared().readTree(trained.out())).isEqualTo(metrics);
    assertThat(metrics.at("/overall/rows").asInt()).isEqualTo(200);
    assertThat(metrics.at("/overall/auc").asDouble()).isGreaterThan(0.7);
    Path predictions = run("run", "predictions.csv");
    assertThat(pairsAuc(predictions, null))
        .isEqualTo(metrics.at("/overall/auc").asDouble(), offset(1e-9));
    for (String scenario : TinyShop.SCENARIOS) {
      assertThat(pairsAuc(predictions, scenario))
          .isEqualTo(metrics.at("/scenarios/" + scenario + "/auc").asDouble(), offset(1e-9));
    }
    assertThat(Files.readAllLines(run("run", "history.jsonl"))).hasSize(4);
    try (Stream<Path> files = Files.list(folder.resolve("run"))) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrder(
              "config.yaml",
              "metrics.json",
              "history.jsonl",
              "model.safetensors",
              "predictions.csv",
              "report.html");
    }

    CommandLineRun evaluated =
        CommandLineRun.of("evaluate", "--run", folder.resolve("run").toString(), "--json");
    assertThat(JsonMapper.shared().readTree(evaluated.out())).isEqualTo(metrics);
    CommandLineRun valid =
        CommandLineRun.of("evaluate", "--run=" + folder.resolve("run"), "--split=valid");
    assertThat(valid.out()).contains("valid rows", "overall", "web", "store");
  }

  @Test
  void aFolderThatHoldsARunIsRefusedUnlessForced() throws IOException {
    assertThat(CommandLineRun.of(train("run", "--epochs", "1")).exitCode()).isZero();
    byte[] before = Files.readAllBytes(run("run", "model.safetensors"));
    CommandLineRun again = CommandLineRun.of(train("run", "--epochs", "1", "--seed", "2"));
    assertThat(again.exitCode()).isEqualTo(1);
    assertThat(again.err()).contains("holds a finished run", "--force").doesNotContain("\tat ");
    assertThat(Files.readAllBytes(run("run", "model.safetensors"))).isEqualTo(before);
    assertThat(
            CommandLineRun.of(train("run", "--epochs", "1", "--seed", "2", "--force")).exitCode())
        .isZero();
    assertThat(Files.readAllBytes(run("run", "model.safetensors"))).isNotEqualTo(before);
  }

  @Test
  void aFolderWithOtherFilesIsRefused() throws IOException {
    Files.createDirectories(folder.resolve("run"));
    Files.writeString(run("run", "letter.txt"), "dear");
    CommandLineRun refused = CommandLineRun.of(train("run"));
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err()).contains("letter.txt");
    assertThat(CommandLineRun.of(train("run", "--force")).exitCode()).isEqualTo(1);
    assertThat(run("run", "letter.txt")).hasContent("dear");
  }

  @Test
  void mistakesAreOneLineAndLeaveNothing() {
    check(2, train("a", "--meta", "both"), "--meta: needs --knowledge");
    check(1, train("b", "--knowledge", folder.resolve("none").toString()), "none: no such file");
    check(2, train("c", "--lr", "0"), "--lr: expected more than 0");
    check(1, train("d", "--device", "abacus"), "no backend is called 'abacus'");
    check(1, train("e", "--lr", "1e30"), "learning rate 1.0E30 is probably too high");
    check(1, train("f", "--knowledge", shop.data()), "shop.yaml");
    check(2, train("g", "--hidden", "8,0"), "--hidden: expected at least 1");
    check(2, train("h", "--backbone", "moon"), "moon");
    for (String out : List.of("a", "b", "c", "d", "f", "g", "h")) {
      assertThat(folder.resolve(out)).doesNotExist();
    }
    assertThat(CommandLineRun.of(train("e", "--epochs", "1")).exitCode()).isZero();
    check(1, new String[] {"evaluate", "--run", folder.toString()}, "no run here");
  }

  private static void check(int exitCode, String[] args, String message) {
    CommandLineRun run = CommandLineRun.of(args);
    assertThat(run.exitCode()).isEqualTo(exitCode);
    List<String> lines = run.err().lines().filter(line -> line.startsWith("llm4msr: ")).toList();
    assertThat(lines).singleElement().asString().contains(message);
    assertThat(run.err()).doesNotContain("\tat ");
  }

  @Test
  void changedDataAreNoticed() throws IOException {
    assertThat(CommandLineRun.of(train("run", "--epochs", "1")).exitCode()).isZero();
    Path log = folder.resolve("log.csv");
    Files.writeString(log, Files.readString(log).replaceFirst(",0,train", ",1,train"));
    CommandLineRun evaluated =
        CommandLineRun.of("evaluate", "--run", folder.resolve("run").toString());
    assertThat(evaluated.exitCode()).isEqualTo(1);
    assertThat(evaluated.err()).contains("the data have changed since the run");
  }

  private static Process start(Path log, String... args) throws IOException {
    return CommandLineRun.process(List.of(args)).redirectOutput(log.toFile()).start();
  }

  @Test
  void aKilledRunGoesOnAndEndsWithTheSameBits() throws Exception {
    String[] more = {
      "--knowledge",
      shop.knowledge(),
      "--cross-fit",
      "0",
      "--checkpoint-every",
      "3",
      "--epochs",
      "6"
    };
    assertThat(CommandLineRun.of(train("whole", more)).exitCode()).isZero();

    Process process = start(folder.resolve("killed.log"), train("killed", more));
    Path checkpoint = run("killed", "checkpoint");
    while (process.isAlive() && !Files.exists(checkpoint)) {
      Thread.sleep(5);
    }
    process.destroyForcibly();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(checkpoint).exists();
    assertThat(run("killed", "metrics.json")).doesNotExist();

    CommandLineRun other = CommandLineRun.of(train("killed", "--seed", "9"));
    assertThat(other.exitCode()).isEqualTo(1);
    assertThat(other.err()).contains("unfinished run with other settings");

    CommandLineRun resumed = CommandLineRun.of(train("killed", more));
    assertThat(resumed.exitCode()).isZero();
    assertThat(resumed.err()).contains("going on at step");
    for (String file : List.of("model.safetensors", "predictions.csv", "metrics.json")) {
      assertThat(Files.readAllBytes(run("killed", file)))
          .as(file)
          .isEqualTo(Files.readAllBytes(run("whole", file)));
    }
    assertThat(checkpoint).doesNotExist();
  }

  @Test
  void ctrlCLeavesARunThatGoesOn() throws Exception {
    Path log = folder.resolve("stopped.log");
    Process process = start(log, train("stopped", "--epochs", "2000", "--patience", "0"));
    while (process.isAlive() && !Files.readString(log).contains("epoch 2,")) {
      Thread.sleep(20);
    }
    new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
    assertThat(process.waitFor()).isEqualTo(130);
    assertThat(Files.readString(log)).contains("stopped; the same command goes on from here");
    assertThat(run("stopped", "checkpoint")).exists();
    assertThat(run("stopped", ".lock")).doesNotExist();
  }
}
