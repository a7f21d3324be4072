package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.run.TinyShop;
import org.llm4msr.runtime.memory.AllocationTracker;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Levels of LLM4MSR that are trained beside the backbone. */
class CrossFitTest {
  private static final List<String> PARTS = List.of("backbone", "fold1of2", "fold2of2");

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

  private String[] command(String name, String out, String... more) {
    List<String> args =
        new ArrayList<>(List.of(name, "--data", shop.data(), "--out", path(out).toString()));
    args.addAll(List.of("--epochs=6", "--lr=0.01", "--hidden=12", "--embedding-dim=6"));
    args.addAll(List.of("--batch-size=128", "--patience=0"));
    if (Stream.of(more).noneMatch(option -> option.startsWith("--cross-fit"))) {
      args.add("--cross-fit=2");
    }
    args.addAll(List.of(more));
    return args.toArray(String[]::new);
  }

  private String[] train(String out, String... more) {
    List<String> args = new ArrayList<>(List.of(command("train", out, more)));
    args.addAll(List.of("--knowledge", shop.knowledge()));
    return args.toArray(String[]::new);
  }

  private Path path(String first, String... more) {
    return folder.resolve(Path.of(first, more));
  }

  private double auc(String... run) throws IOException {
    JsonNode metrics = JsonMapper.shared().readTree(path("", run).resolve("metrics.json"));
    return metrics.at("/overall/auc").asDouble();
  }

  private static void assertSame(Path a, Path b) throws IOException {
    for (String file : List.of("model.safetensors", "predictions.csv", "metrics.json")) {
      assertThat(Files.mismatch(a.resolve(file), b.resolve(file))).as(file).isEqualTo(-1);
    }
  }

  @Test
  void theBackboneAndItsCopiesAreTrainedFirstAndKnowledgeAddsToIt() throws IOException {
    CommandLineRun trained = CommandLineRun.of(train("run", "--json"));
    assertThat(trained.exitCode()).as(trained.err()).isZero();
    List<Integer> rows = new ArrayList<>();
    for (String line : trained.err().lines().toList()) {
      if (line.contains("the backbone, ")) {
        rows.add(Integer.valueOf(line.replaceAll(".*backbone, |,(?=\\d)| training rows", "")));
      }
    }
    assertThat(rows).hasSize(3).first().isEqualTo(1_600);
    // A row is in the copy that does not hold its fold out.
    assertThat(rows.get(1) + rows.get(2)).isEqualTo(1_600);
    for (String part : PARTS) {
      assertThat(path("run", part, "metrics.json")).exists();
    }
    assertThat(path("run", "fold2of2", "config.yaml")).content().contains("held_out: 2 of 2");
    // The vectors say what each user likes.
    assertThat(auc("run")).isGreaterThan(auc("run", "backbone") + 0.005);
    assertThat(auc("run", "backbone")).isGreaterThan(auc("run", "fold1of2"));

    for (Path run : List.of(path("run"), path("run", "fold1of2"))) {
      CommandLineRun evaluated = CommandLineRun.of("evaluate", "--run", run.toString(), "--json");
      assertThat(JsonMapper.shared().readTree(evaluated.out()))
          .isEqualTo(JsonMapper.shared().readTree(run.resolve("metrics.json")));
    }
    CommandLineRun explained =
        CommandLineRun.of("evaluate", "--run", path("run").toString(), "--explain");
    assertThat(explained.out()).contains("knowledge of the user", "kind", "weight of knowledge");
  }

  /** The backbone of the run is the backbone alone: the same command without knowledge. */
  @Test
  void theBackboneIsWhatItIsAlone() throws IOException {
    assertThat(CommandLineRun.of(train("run")).exitCode()).isZero();
    assertThat(CommandLineRun.of(command("train", "alone", "--cross-fit=0")).exitCode()).isZero();
    assertSame(path("run", "backbone"), path("alone"));
  }

  /** The backbone learns at --lr, whatever the levels do. */
  @Test
  void levelsLearnAtARateOfTheirOwn() throws IOException {
    assertThat(CommandLineRun.of(train("run")).exitCode()).isZero();
    assertThat(CommandLineRun.of(train("same", "--meta-lr=0.01")).exitCode()).isZero();
    assertSame(path("run"), path("same"));
    CommandLineRun slow = CommandLineRun.of(train("slow", "--meta-lr=1e-9"));
    assertThat(slow.exitCode()).as(slow.err()).isZero();
    for (String part : PARTS) {
      assertSame(path("run", part), path("slow", part));
    }
    // Levels that have learned nothing leave the backbone's ranking as it is.
    assertThat(auc("slow")).isCloseTo(auc("slow", "backbone"), within(1e-3));
    assertThat(auc("run")).isGreaterThan(auc("slow") + 0.005);
    CommandLineRun evaluated =
        CommandLineRun.of("evaluate", "--run", path("slow").toString(), "--json");
    assertThat(JsonMapper.shared().readTree(evaluated.out()))
        .isEqualTo(JsonMapper.shared().readTree(path("slow", "metrics.json")));
  }

  @Test
  void aComparisonTrainsTheBackboneAtItsOwnRate() throws IOException {
    String[] args =
        command("compare", "c", "--knowledge", shop.knowledge(), "--seeds=1", "--meta-lr=1e-9");
    CommandLineRun run = CommandLineRun.of(args);
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(auc("c", "star-without-seed1")).isGreaterThan(0.7);
    assertThat(auc("c", "star-with-seed1")).isCloseTo(auc("c", "star-without-seed1"), within(1e-3));
  }

  /** Backbone and levels both read the kind, which a request says once. */
  @Test
  void itIsExportedAndScoresAsEvaluated() throws IOException {
    assertThat(CommandLineRun.of(train("run")).exitCode()).isZero();
    Path snapshot = path("run.snapshot");
    CommandLineRun exported =
        CommandLineRun.of("export", "--run", path("run").toString(), "--out", snapshot.toString());
    assertThat(exported.exitCode()).as(exported.err()).isZero();
    List<String> log = Files.readAllLines(folder.resolve("log.csv"));
    List<String> predictions = Files.readAllLines(path("run", "predictions.csv"));
    List<String> requests = new ArrayList<>();
    for (String line : predictions.subList(1, 101)) {
      String[] fields = line.split(",");
      String kind = log.get(Integer.parseInt(fields[0])).split(",")[3];
      requests.add(
          "{\"user\":\"%s\",\"scenario\":\"%s\",\"items\":[\"i,%s\"],\"context\":{\"kind\":\"%s\"}}"
              .formatted(fields[1], fields[4], fields[3].replace("\"", ""), kind));
    }
    Files.write(path("requests.jsonl"), requests);
    CommandLineRun scored =
        CommandLineRun.of(
            "score", "--snapshot=" + snapshot, "--input", path("requests.jsonl").toString());
    List<String> answers = scored.out().lines().toList();
    assertThat(answers).hasSize(100);
    for (int i = 0; i < answers.size(); i++) {
      String[] fields = predictions.get(i + 1).split(",");
      JsonNode answer = JsonMapper.shared().readTree(answers.get(i));
      assertThat(answer.at("/probabilities/0").floatValue())
          .isCloseTo(Float.parseFloat(fields[6]), within(1e-5f));
    }
  }

  @Test
  void aRunThatWasInterruptedEndsWithTheSameBits() throws IOException {
    assertThat(CommandLineRun.of(train("whole")).exitCode()).isZero();
    // As if killed: the second copy and the levels are missing, the first copy had no time to end.
    Path cut = path("cut");
    try (Stream<Path> files = Files.walk(path("whole"))) {
      for (Path file : files.toList()) {
        Path to = cut.resolve(path("whole").relativize(file));
        boolean kept =
            file.equals(path("whole"))
                || file.equals(path("whole", "config.yaml"))
                || file.startsWith(path("whole", "backbone"))
                || file.equals(path("whole", "fold1of2"))
                || file.equals(path("whole", "fold1of2", "config.yaml"));
        if (kept) {
          Files.copy(file, to);
        }
      }
    }
    FileTime before = Files.getLastModifiedTime(cut.resolve("backbone/model.safetensors"));
    CommandLineRun resumed = CommandLineRun.of(train("cut"));
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(resumed.err()).contains("fold1of2: the backbone").doesNotContain("cut/backbone:");
    assertThat(Files.getLastModifiedTime(cut.resolve("backbone/model.safetensors")))
        .isEqualTo(before);
    assertSame(cut, path("whole"));
    for (String part : PARTS) {
      assertSame(cut.resolve(part), path("whole", part));
    }
  }

  @Test
  void aComparisonSharesTheCopiesAmongItsModels() throws IOException {
    String[] args =
        command(
            "compare", "c", "--knowledge", shop.knowledge(), "--controls", "all", "--seeds", "2");
    CommandLineRun run = CommandLineRun.of(args);
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.err().lines().filter(line -> line.contains("the backbone, "))).hasSize(2 * 2);
    JsonNode json = JsonMapper.shared().readTree(path("c", "compare.json"));
    for (String arm : List.of("random", "learned", "user", "scenario", "with")) {
      assertThat(path("c", "star-" + arm + "-seed2", "config.yaml"))
          .content()
          .contains("cross_fit: 2");
      assertThat(path("c", "star-" + arm + "-seed2", "backbone")).doesNotExist();
    }
    assertThat(path("c", "star-projection-seed1", "config.yaml"))
        .content()
        .contains("cross_fit: 0");
    double copies = seconds("star-fold1of2-seed") + seconds("star-fold2of2-seed");
    assertThat(json.at("/cost/star/with/seconds").asDouble())
        .isCloseTo(copies + seconds("star-without-seed") + seconds("star-with-seed"), within(1e-6));
    FileTime before = Files.getLastModifiedTime(path("c", "star-fold1of2-seed1", "metrics.json"));
    assertThat(CommandLineRun.of(args).exitCode()).isZero();
    assertThat(Files.getLastModifiedTime(path("c", "star-fold1of2-seed1", "metrics.json")))
        .isEqualTo(before);
    assertThat(json.at("/backbones/star/overall/auc/with/mean").asDouble())
        .isGreaterThan(json.at("/backbones/star/overall/auc/without/mean").asDouble());
  }

  /** Of training, the mean over both seeds. */
  private double seconds(String run) throws IOException {
    double sum = 0;
    for (int seed = 1; seed <= 2; seed++) {
      for (String line : Files.readAllLines(path("c", run + seed, "history.jsonl"))) {
        sum += JsonMapper.shared().readTree(line).get("seconds").asDouble();
      }
    }
    return sum / 2;
  }

  @Test
  void whatCannotBeCrossFittedIsRefused() {
    check(command("train", "a"), "--cross-fit: needs --knowledge");
    check(train("b", "--cross-fit=1"), "--cross-fit: expected 0 or at least 2 folds, found 1");
    check(train("c", "--backbone=external"), "the backbone external is not trained here");
    check(command("compare", "d", "--cross-fit=-2"), "at least 2 folds, found -2");
    check(train("f", "--cross-fit=0", "--meta-lr=0.1"), "--meta-lr: is of levels beside");
    check(train("g", "--meta-lr=0"), "--meta-lr: expected more than 0");
    check(train("e", "--user-mode=concat"), "leave them out, or use --cross-fit 0");
  }

  @Test
  void knowledgeOfNobodyIsRefusedBeforeTheBackboneIsTrained() {
    TinyShop.writeKnowledge(path("strangers"), Map.of("user/nobody", new float[5]));
    CommandLineRun run =
        CommandLineRun.of(
            command("train", "run", "--knowledge", path("strangers").toString(), "--meta=user"));
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).contains("no vector belongs to a user").doesNotContain("epoch");
  }

  @Test
  void usersWithoutKnowledgeAreCountedOnce() {
    float[] vector = {1, 2, 3, 4, 5};
    TinyShop.writeKnowledge(
        path("few"),
        Map.of(
            "user/u1",
            vector,
            "user/u2",
            vector,
            "user/u2#fold1",
            vector,
            "user/u2#fold2",
            vector));
    CommandLineRun run =
        CommandLineRun.of(
            command(
                "train",
                "run",
                "--knowledge",
                path("few").toString(),
                "--meta=user",
                "--cross-fit=0"));
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.err())
        .contains("knowledge: 58 of 60 users have no vector", "knowledge: 1 of 60 users lack");
  }

  @Test
  void knowledgeStandsBesideTheBackboneUnlessAskedOtherwise() throws IOException {
    assertCrossFit(2);
    assertCrossFit(0, "--user-mode=residual");
    assertCrossFit(0, "--scenario-input=features");
    assertCrossFit(0, "--meta=off");
    assertCrossFit(0, "--cross-fit=0");
  }

  private void assertCrossFit(int folds, String... more) throws IOException {
    List<String> args =
        new ArrayList<>(List.of("train", "--data", shop.data(), "--knowledge", shop.knowledge()));
    args.addAll(List.of("--out", path("run").toString(), "--force", "--epochs=1"));
    args.addAll(List.of(more));
    CommandLineRun run = CommandLineRun.of(args.toArray(String[]::new));
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(path("run", "config.yaml")).content().contains("cross_fit: " + folds);
  }

  private static void check(String[] args, String message) {
    CommandLineRun run = CommandLineRun.of(args);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).doesNotContain("\tat ").contains(message);
  }
}
