package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.Main;
import org.llm4msr.app.run.TinyShop;
import org.llm4msr.runtime.memory.AllocationTracker;
import tools.jackson.databind.json.JsonMapper;

class TuneCommandTest {
  @TempDir private Path folder;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @AfterEach
  void nothingStaysOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private int tune(String... more) throws IOException {
    TinyShop.write(folder, 600);
    out.getBuffer().setLength(0);
    err.getBuffer().setLength(0);
    return Main.run(
        arguments(folder, more), new PrintWriter(out, true), new PrintWriter(err, true));
  }

  /** On the shop in a folder. */
  private static String[] arguments(Path shop, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "tune",
                "--data",
                shop.resolve("shop.yaml").toString(),
                "--out",
                shop.resolve("t").toString(),
                "--batch-size",
                "128",
                "--hidden",
                "6",
                "--embedding-dim",
                "4",
                "--backbone",
                "mmoe",
                "--threads",
                "1"));
    args.addAll(List.of(more));
    if (!args.contains("--epochs")) {
      args.addAll(List.of("--epochs", "3"));
    }
    return args.toArray(String[]::new);
  }

  @Test
  void theBestIsFoundAndNothingIsTrainedTwice() throws IOException {
    assertThat(tune("--rates", "3", "--trials", "3", "--lr-range", "1e-9,1e-1"))
        .as(err.toString())
        .isZero();
    String first = out.toString();
    // Three rates, of which one goes on to all epochs; three settings likewise.
    List<String> trials = Files.readAllLines(folder.resolve("t/trials.jsonl"));
    assertThat(trials).hasSize(8);
    assertThat(err.toString().lines().filter(line -> line.contains("epochs:"))).hasSize(8);
    assertThat(Files.readString(folder.resolve("t/tune.html")))
        .contains("<svg", "options of train");
    double best = score(first.lines().filter(line -> line.contains(" 3    ")).toList());
    assertThat(best).isGreaterThan(0.5);
    assertThat(folder.resolve("t/trial")).doesNotExist();
    assertReproduced(3, "");

    assertThat(tune("--rates", "3", "--trials", "3", "--lr-range", "1e-9,1e-1")).isZero();
    assertThat(out.toString()).isEqualTo(first);
    assertThat(err.toString()).doesNotContain("epochs:");

    // A search that goes further trains only what is new.
    assertThat(tune("--rates", "3", "--trials", "4", "--lr-range", "1e-9,1e-1")).isZero();
    assertThat(err.toString().lines().filter(line -> line.contains("epochs:")).count())
        .isBetween(1L, 3L);
  }

  @Test
  void withKnowledgeTheWiringIsSearchedToo() throws IOException {
    String knowledge = TinyShop.write(folder, 600).knowledge();
    String[] search = {"--rates", "1", "--trials", "6", "--epochs", "1", "--knowledge", knowledge};
    assertThat(tune(with(search, "--cross-fit", "0"))).as(err.toString()).isZero();
    assertThat(out.toString())
        .contains("--fusion ", "--rank ", "--user-mode ", "--cross-fit 0")
        .doesNotContain("level ");
    assertReproduced(1, "");
  }

  private static String[] with(String[] args, String... more) {
    return Stream.concat(Stream.of(args), Stream.of(more)).toArray(String[]::new);
  }

  /**
   * The best line, given to train, reaches the score on the validation rows that the table says.
   */
  private void assertReproduced(int epochs, String stage) throws IOException {
    double best =
        score(
            out.toString()
                .lines()
                .filter(line -> line.startsWith(stage))
                .map(line -> line.replaceFirst("^level ", "level-"))
                .filter(line -> line.matches("\\S+ +\\d+ +" + epochs + " .*"))
                .toList());
    String command =
        out.toString().lines().filter(line -> line.startsWith("best: ")).toList().getFirst();
    List<String> args = new ArrayList<>(List.of(command.split(" ")));
    assertThat(args).startsWith("best:", "llm4msr", "train");
    Path run = folder.resolve("again");
    args.addAll(List.of("--out", run.toString(), "--force"));
    CommandLineRun trained = CommandLineRun.of(args.subList(2, args.size()).toArray(String[]::new));
    assertThat(trained.exitCode()).as(command + "\n" + trained.err()).isZero();
    double reached = 0;
    for (String line : Files.readAllLines(run.resolve("history.jsonl"))) {
      reached = Math.max(reached, JsonMapper.shared().readTree(line).get("valid_auc").asDouble());
    }
    assertThat(scores()).contains(reached);
    assertThat(reached).isCloseTo(best, within(0.5e-4));
  }

  private List<Double> scores() throws IOException {
    return Files.readAllLines(folder.resolve("t/trials.jsonl")).stream()
        .map(line -> JsonMapper.shared().readTree(line).path("score").asDouble())
        .toList();
  }

  /** The default: first the backbone, then levels beside the best one and its copies. */
  @Test
  void levelsBesideTheBackboneAreSearchedAfterIt() throws IOException {
    String knowledge = TinyShop.write(folder, 600).knowledge();
    String[] search = {
      "--rates",
      "3",
      "--trials",
      "3",
      "--lr-range",
      "1e-3,1e-1",
      "--knowledge",
      knowledge,
      "--scenario-id",
      "--scenario-weight",
      "store=1.5",
      "--option",
      "experts=3",
      "--seed",
      "4"
    };
    assertThat(tune(search)).as(err.toString()).isZero();
    String first = out.toString();
    assertThat(first.lines().map(line -> line.replaceAll(" +\\d.*", "")).distinct())
        .containsSubsequence("rates", "settings", "level rates", "level settings");
    assertThat(scores()).hasSize(16);
    assertThat(err.toString().lines().filter(line -> line.contains("the backbone, "))).hasSize(3);
    assertThat(first).contains("--meta-lr ", "--rank ", "--cross-fit 2");
    assertThat(first.substring(first.indexOf("best: ")))
        .contains("--batch-size 128", "--threads 1", "--scenario-id", "store=1.5", "experts=")
        .doesNotContain("--rates", "--trials", "--lr-range");
    assertThat(Files.readString(folder.resolve("t/tune.html")))
        .contains("Levels beside the best backbone", "llm4msr train --data");
    assertReproduced(3, "level");
    for (String part : List.of("backbone", "fold1of2", "fold2of2")) {
      assertThat(folder.resolve("t/" + part + "/model.safetensors")).exists();
    }

    assertThat(tune(search)).isZero();
    assertThat(out.toString()).isEqualTo(first);
    assertThat(err.toString()).doesNotContain("epochs:", "the backbone, ");
  }

  /** With other labels of the test rows a search does and leaves the same. */
  @Test
  void testRowsAreNeverLookedAt() throws IOException {
    String knowledge = TinyShop.write(folder, 600).knowledge();
    String[] search = {"--rates", "1", "--trials", "1", "--knowledge", knowledge};
    assertThat(tune(search)).as(err.toString()).isZero();
    String table = out.toString();
    List<Double> scores = scores();
    String metrics = Files.readString(folder.resolve("t/backbone/metrics.json"));

    Path log = folder.resolve("log.csv");
    List<String> flipped =
        Files.readAllLines(log).stream()
            .map(line ->
                line.endsWith(",1,test")
                    ? line.replace(",1,test", ",0,test")
                    : line.replace(",0,test", ",1,test"))
            .toList();
    Path other = Files.createDirectory(folder.resolve("other"));
    TinyShop.write(other, 600);
    Files.write(other.resolve("log.csv"), flipped);
    assertThat(CommandLineRun.of(arguments(other, search)).exitCode()).isZero();
    List<String> trials = Files.readAllLines(other.resolve("t/trials.jsonl"));
    assertThat(trials).hasSize(scores.size());
    for (int i = 0; i < trials.size(); i++) {
      assertThat(JsonMapper.shared().readTree(trials.get(i)).path("score").asDouble())
          .isEqualTo(scores.get(i));
    }
    assertThat(other.resolve("t/backbone/metrics.json")).hasContent(metrics);
    assertThat(other.resolve("t/backbone/predictions.csv")).doesNotExist();
    assertThat(table).contains("best: ");
  }

  @Test
  void twoSearchesDoNotShareAFolder() throws IOException {
    Path lock = Files.createDirectories(folder.resolve("t")).resolve(".lock");
    try (FileChannel held =
        FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      held.lock();
      assertThat(tune("--rates", "1", "--trials", "0")).isEqualTo(1);
      assertThat(err.toString())
          .contains("t: another process is training here; wait for it to end")
          .doesNotContain("epochs:");
    }
    assertThat(tune("--rates", "1", "--trials", "0")).as(err.toString()).isZero();
    assertThat(lock).doesNotExist();
  }

  private static double score(List<String> lines) {
    return lines.stream()
        .mapToDouble(line -> Double.parseDouble(line.strip().split("\\s+")[3]))
        .max()
        .orElseThrow();
  }

  @Test
  void mistakesAreWrongUsage() throws IOException {
    assertThat(tune("--rates", "0")).isEqualTo(2);
    assertThat(tune("--lr-range", "1e-2,1e-3")).isEqualTo(2);
    assertThat(err.toString()).contains("--lr-range: expected two ascending rates");
    assertThat(tune("--option", "levels=2")).isEqualTo(2);
    assertThat(err.toString()).contains("no such option of the backbone");
    Files.createDirectories(folder.resolve("t"));
    Files.writeString(folder.resolve("t/trials.jsonl"), "{\"a\": 1}\n");
    assertThat(tune("--rates", "1", "--trials", "0")).isEqualTo(1);
    assertThat(err.toString()).contains("trials.jsonl:1: not a trial");
    Files.writeString(folder.resolve("t/config.yaml"), "model: {}");
    assertThat(tune("--rates", "1", "--trials", "0")).isEqualTo(1);
    assertThat(err.toString()).contains("t: holds a run; choose another --out");
  }
}
