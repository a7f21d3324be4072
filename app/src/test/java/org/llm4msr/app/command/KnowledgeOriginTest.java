package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.llm4msr.app.run.TinyShop;
import org.llm4msr.model.checkpoint.Safetensors;
import org.llm4msr.runtime.memory.AllocationTracker;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Vectors are trained with on the rows that their prompts were made from, and on no others. */
class KnowledgeOriginTest {
  private static final String[] SHORT = {"--epochs=1", "--hidden=4", "--batch-size=512"};
  private static final String UNKNOWN = "does not say which training rows it was made from";

  @TempDir private Path folder;
  private TinyShop shop;

  @BeforeEach
  void writeShop() throws IOException {
    shop = TinyShop.write(folder, 500);
  }

  @AfterEach
  void nothingStaysOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private Path path(String name) {
    return folder.resolve(name);
  }

  private static CommandLineRun run(String command, String... options) {
    return CommandLineRun.of(
        Stream.concat(Stream.of(command), Stream.of(options)).toArray(String[]::new));
  }

  private static CommandLineRun succeed(CommandLineRun run) {
    assertThat(run.exitCode()).as(run.err()).isZero();
    return run;
  }

  /** The prompts of a data set. */
  private Path prompts(String data, String... options) {
    Path file = path("p.jsonl");
    List<String> all = new ArrayList<>(List.of("--data=" + path(data), "--out=" + file, "--force"));
    all.addAll(List.of(options));
    succeed(run("prompts", all.toArray(String[]::new)));
    return file;
  }

  /** Vectors of prompts by the built-in encoder. */
  private Path encoded(Path prompts) {
    Path file = path("vectors.safetensors");
    succeed(run("encode", "--model=builtin", "--input=" + prompts, "--out=" + file));
    return file;
  }

  private CommandLineRun train(String command, String data, Path knowledge, String... options) {
    List<String> all = new ArrayList<>(List.of(SHORT));
    all.addAll(List.of("--data=" + path(data), "--knowledge=" + knowledge));
    all.add("--out=" + path(command));
    all.addAll(List.of(options));
    if (!command.equals("tune")) {
      all.add("--force");
    }
    if (command.equals("compare")) {
      all.addAll(List.of("--backbones=sharedbottom", "--seeds=2"));
    } else {
      all.add("--backbone=sharedbottom");
    }
    return run(command, all.toArray(String[]::new));
  }

  private static List<String> warnings(CommandLineRun run) {
    return succeed(run).err().lines().filter(line -> line.startsWith("warning: ")).toList();
  }

  /** The same shop with another split. */
  private void writeOtherSplit() throws IOException {
    Files.writeString(
        path("cold.yaml"),
        Files.readString(path("shop.yaml"))
            .replaceAll(
                "split: .*", "split: {cold_users: {train: 8, valid: 1, test: 1, seed: 0}}"));
  }

  private static JsonNode madeFrom(Path knowledge) {
    try (Safetensors file = Safetensors.open(knowledge)) {
      return JsonMapper.shared().readTree(file.metadata().get("made_from"));
    }
  }

  @Test
  void everyPromptAndTheVectorsSayWhichRowsTheyCameFrom() throws IOException {
    Path prompts = prompts("shop.yaml", "--folds=3", "--cut=web=0.5");
    List<JsonNode> sources =
        Files.readAllLines(prompts).stream()
            .map(line -> JsonMapper.shared().readTree(line).get("made_from"))
            .toList();
    assertThat(sources).hasSize(2 + 60 * 4).containsOnly(sources.getFirst());
    JsonNode source = sources.getFirst();
    assertThat(source.get("data").stringValue()).isEqualTo("shop");
    assertThat(source.get("folds").intValue()).isEqualTo(3);
    assertThat(source.at("/cut/web").doubleValue()).isEqualTo(0.5);
    assertThat(source.get("training_rows").intValue()).isBetween(200, 399);
    assertThat(madeFrom(encoded(prompts))).isEqualTo(source);

    JsonNode whole =
        JsonMapper.shared()
            .readTree(Files.readAllLines(prompts("shop.yaml")).getLast())
            .get("made_from");
    long rows =
        Files.readAllLines(path("log.csv")).stream().filter(l -> l.endsWith("train")).count();
    assertThat(whole.get("training_rows").longValue()).isEqualTo(rows);
    assertThat(whole.get("checksum")).isNotEqualTo(source.get("checksum"));
    assertThat(whole.has("cut")).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"train", "compare", "tune"})
  void vectorsOfAnotherSplitAreRefused(String command) throws IOException {
    writeOtherSplit();
    Path knowledge = encoded(prompts("shop.yaml"));
    CommandLineRun refused = train(command, "cold.yaml", knowledge);
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err().lines())
        .singleElement()
        .asString()
        .contains("llm4msr: " + knowledge, "other training rows (400 of shop) than")
        .contains("cold.yaml", " of cold)", "labels of test rows")
        .contains("'llm4msr prompts' with --data " + path("cold.yaml") + ", then 'encode'");
  }

  @Test
  void vectorsNeedTheCutOfTraining() {
    Path whole = encoded(prompts("shop.yaml"));
    CommandLineRun refused = train("compare", "shop.yaml", whole, "--cut=web=0.2");
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err().lines())
        .singleElement()
        .asString()
        .contains("400 of shop)", "of shop --cut web=0.2)", "shop.yaml --cut web=0.2, then");

    Path cut = encoded(prompts("shop.yaml", "--cut=web=0.2"));
    assertThat(warnings(train("compare", "shop.yaml", cut, "--cut=web=0.2"))).isEmpty();
    CommandLineRun uncut = train("train", "shop.yaml", cut);
    assertThat(uncut.exitCode()).isEqualTo(1);
    assertThat(uncut.err()).contains("of shop --cut web=0.2) than", "(400 of shop)");
  }

  /** Other files of the same content: a new name, JSON lines, another order, a user to come. */
  @Test
  void theSameRowsFromOtherFilesAreTheSame() throws IOException {
    Path knowledge = encoded(prompts("shop.yaml"));
    List<String> log = Files.readAllLines(path("log.csv"));
    List<String> rows = new ArrayList<>();
    for (String line : log.subList(1, log.size())) {
      String[] fields = line.replaceAll("\"i,(\\d+)\"", "i;$1").split(",");
      rows.add(
          "{\"user\":\"%s\",\"item\":\"%s\",\"kind\":\"%s\",\"place\":\"%s\",\"clicked\":%s,\"part\":\"%s\"}"
              .formatted(
                  fields[0],
                  fields[1].replace(';', ','),
                  fields[2],
                  fields[3],
                  fields[4],
                  fields[5]));
    }
    Collections.shuffle(rows, new Random(1));
    Files.write(path("rows.jsonl"), rows);
    Files.writeString(path("users.csv"), "id\nnewcomer\nu7\n");
    Files.writeString(
        path("same.yaml"),
        Files.readString(path("shop.yaml")).replace("log.csv", "rows.jsonl")
            + "users: {path: users.csv, key: id}\n");
    assertThat(warnings(train("train", "same.yaml", knowledge))).isEmpty();
    CommandLineRun evaluated = run("evaluate", "--run=" + path("train"));
    assertThat(warnings(evaluated)).isEmpty();

    // One label of a training row is another one.
    String changed = rows.stream().filter(row -> row.contains("train")).findFirst().orElseThrow();
    rows.set(
        rows.indexOf(changed),
        changed.contains("\"clicked\":1")
            ? changed.replace("\"clicked\":1", "\"clicked\":0")
            : changed.replace("\"clicked\":0", "\"clicked\":1"));
    Files.write(path("rows.jsonl"), rows);
    assertThat(run("evaluate", "--run=" + path("train")).err())
        .contains("the data have changed since the run; train again");
    CommandLineRun refused = train("train", "same.yaml", knowledge);
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err()).contains("(400 of shop)", "(400 of same)");
  }

  @Test
  void vectorsThatDoNotSayAreWarnedOfOnce() {
    Path knowledge = Path.of(shop.knowledge());
    for (String command : List.of("train", "compare")) {
      assertThat(warnings(train(command, "shop.yaml", knowledge)))
          .singleElement()
          .asString()
          .contains(knowledge.toString(), UNKNOWN);
    }
    CommandLineRun evaluated = run("evaluate", "--run=" + path("compare/sharedbottom-with-seed1"));
    assertThat(warnings(evaluated)).singleElement().asString().contains(UNKNOWN);
    CommandLineRun alone =
        run("train", "--data=" + shop.data(), "--out=" + path("alone"), "--epochs=1");
    assertThat(warnings(alone)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          0 | --cross-fit=2       | has no out-of-fold vectors
          0 | --cross-fit=0       | has no out-of-fold vectors
          0 | --meta=scenario     |
          3 | --cross-fit=2       | leave out one of 3 folds, but --cross-fit is 2
          3 | --cross-fit=0       |
          3 | --cross-fit=3       |
          """)
  void foldsThatDoNotSuitTheModelAreWarnedOfOnce(int folds, String option, String warning) {
    Path knowledge = encoded(prompts("shop.yaml", "--folds=" + folds));
    List<String> warnings = warnings(train("compare", "shop.yaml", knowledge, option));
    if (warning == null) {
      assertThat(warnings).isEmpty();
    } else {
      assertThat(warnings).singleElement().asString().contains(knowledge.toString(), warning);
    }
  }

  /** Else rows of that fold would have no vector, or one that has seen them. */
  @Test
  void vectorsOfAFoldMayNotBeMissing() throws IOException {
    Path prompts = prompts("shop.yaml");
    List<String> some = new ArrayList<>(Files.readAllLines(prompts));
    some.removeIf(line -> line.contains("#fold2"));
    CommandLineRun refused = train("train", "shop.yaml", encoded(Files.write(prompts, some)));
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err()).contains("prompts with 2 folds, but has vectors of 0");
  }

  @Test
  void promptsOfDifferentRowsAreNotEncodedTogether() throws IOException {
    writeOtherSplit();
    List<String> mixed = new ArrayList<>(Files.readAllLines(prompts("shop.yaml")));
    List<String> other = Files.readAllLines(prompts("cold.yaml"));
    // A line from elsewhere says nothing.
    mixed.set(1, "{\"id\":\"scenario/web\",\"text\":\"Shelves.\"}");
    Path file = Files.write(path("mixed.jsonl"), mixed.subList(0, 4));
    assertThat(madeFrom(encoded(file)).get("data").stringValue()).isEqualTo("shop");
    mixed.set(3, other.get(3));
    Files.write(file, mixed.subList(0, 4));
    Path out = path("mixed.safetensors");
    CommandLineRun refused = run("encode", "--model=builtin", "--input=" + file, "--out=" + out);
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err())
        .contains(
            "mixed.jsonl:4: the prompt was made from other training rows than that of line 1");
    assertThat(out).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          "my log"                                                               | made_from.data is missing
          {"data":"d","training_rows":"8","checksum":"c","folds":0}              | made_from.training_rows is "8"
          {"data":"d","training_rows":8,"checksum":"c","folds":1}                | made_from.folds is 1
          {"data":"d","training_rows":8,"checksum":"c","folds":2,"cut":{"a":""}} | made_from.cut is {"a":""}
          """)
  void aMalformedOriginIsRefused(String json, String message) throws IOException {
    Path file =
        Files.writeString(
            path("p.jsonl"), "{\"id\":\"a\",\"text\":\"b\",\"made_from\":%s}\n".formatted(json));
    Path out = path("k2.safetensors");
    CommandLineRun refused = run("encode", "--model=builtin", "--input=" + file, "--out=" + out);
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err()).contains("p.jsonl:1: " + message).doesNotContain("\tat ");
  }

  /** The text may stay when the rows change, and the other way round. */
  @Test
  void thePromptsOfOtherRowsAreNotEncodedAgainButTheFileSaysTheNewRows() throws IOException {
    Path prompts = prompts("shop.yaml");
    Path knowledge = encoded(prompts);
    String text = Files.readString(prompts);
    Files.writeString(prompts, text.replace("\"training_rows\":400", "\"training_rows\":401"));
    CommandLineRun again =
        run("encode", "--model=builtin", "--input=" + prompts, "--out=" + knowledge);
    assertThat(succeed(again).out()).contains("; 0 prompts encoded");
    assertThat(madeFrom(knowledge).get("training_rows").intValue()).isEqualTo(401);
  }

  /** A snapshot takes vectors of a later log, whose rows are others of course. */
  @Test
  void servingTakesKnowledgeOfLaterRows() throws IOException {
    Path knowledge = encoded(prompts("shop.yaml"));
    succeed(train("train", "shop.yaml", knowledge));
    Path snapshot = path("s.snapshot");
    succeed(run("export", "--run=" + path("train"), "--out=" + snapshot));
    Path old = path("old.safetensors");
    Files.move(knowledge, old, StandardCopyOption.ATOMIC_MOVE);
    Files.writeString(
        path("log.csv"), Files.readString(path("log.csv")) + "new,\"i,1\",k1,web,1,train\n");
    Path later = path("later.safetensors");
    succeed(
        run(
            "encode",
            "--model=builtin",
            "--input=" + prompts("shop.yaml"),
            "--out=" + later,
            "--since=" + old));
    assertThat(madeFrom(later).get("training_rows").intValue()).isEqualTo(401);
    Path requests =
        Files.writeString(
            path("r.jsonl"), "{\"user\":\"new\",\"scenario\":\"web\",\"items\":[\"i,1\"]}\n");
    CommandLineRun scored =
        run("score", "--snapshot=" + snapshot, "--knowledge=" + later, "--input=" + requests);
    assertThat(succeed(scored).out()).contains("probabilities");
  }
}
