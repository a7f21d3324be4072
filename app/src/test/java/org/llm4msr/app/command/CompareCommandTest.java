package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.run.TinyShop;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class CompareCommandTest {
  @TempDir private Path folder;

  private String[] compare(TinyShop shop, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of("compare", "--data", shop.data(), "--out", folder.resolve("c").toString()));
    args.addAll(List.of("--batch-size", "128", "--epochs", "2"));
    args.addAll(List.of("--lr", "0.01", "--hidden", "12", "--embedding-dim", "6"));
    args.addAll(List.of(more));
    return args.toArray(String[]::new);
  }

  @Test
  void everyArmRunsOverEverySeedOnceAndTheTableAgreesWithTheRuns() throws IOException {
    TinyShop shop = TinyShop.write(folder, 1_000);
    String[] args =
        compare(
            shop,
            "--knowledge",
            shop.knowledge(),
            "--cross-fit",
            "0",
            "--controls",
            "all",
            "--seeds",
            "2",
            "--backbones",
            "star,sharedbottom",
            "--json");
    CommandLineRun run = CommandLineRun.of(args);
    assertThat(run.exitCode()).isZero();
    JsonNode json = JsonMapper.shared().readTree(folder.resolve("c/compare.json"));
    assertThat(JsonMapper.shared().readTree(run.out())).isEqualTo(json);
    assertThat(json.at("/sparsest_scenario").stringValue()).isEqualTo("store");
    for (String backbone : List.of("star", "sharedbottom")) {
      for (String part : List.of("overall", "scenarios/web", "scenarios/store")) {
        double[] without = auc(backbone, "without", part);
        double[] with = auc(backbone, "with", part);
        JsonNode result =
            json.at("/backbones/" + backbone + "/" + part.replace("scenarios/", "") + "/auc");
        assertThat(result.at("/without/mean").asDouble())
            .isEqualTo((without[0] + without[1]) / 2, offset(1e-12));
        double difference = (with[0] - without[0] + with[1] - without[1]) / 2;
        assertThat(result.at("/with/difference/mean").asDouble())
            .isEqualTo(difference, offset(1e-12));
        assertThat(result.at("/random/values")).hasSize(2);
      }
    }
    String report = Files.readString(folder.resolve("c/report.html"));
    assertThat(report).contains("sharedbottom", "random vectors", "store", "Models and controls");
    assertThat(report).contains("Backbones, best first", "<summary>store: ", "RelaImpr");
    double corrected = json.at("/backbones/star/overall/auc/with/difference/holm_p").asDouble();
    assertThat(report).contains("Holm-corrected p = %.3f, 2 seeds".formatted(corrected));
    double overRandom = json.at("/backbones/star/overall/auc/with/over_random/holm_p").asDouble();
    assertThat(report).contains("(Holm-corrected p = %.3f).".formatted(overRandom));
    assertThat(report)
        .contains("What the model leans on")
        .contains("<summary>star with LLM4MSR, seed 1</summary>")
        .contains("<summary>sharedbottom with LLM4MSR, seed 1</summary>", "Who leans on");
    JsonNode first = JsonMapper.shared().readTree(folder.resolve("c/star-with-seed1/metrics.json"));
    assertThat(report)
        .contains("<td>%.4f</td>".formatted(first.at("/scenarios/store/auc").asDouble()));

    FileTime before =
        Files.getLastModifiedTime(folder.resolve("c/star-with-seed1/model.safetensors"));
    assertThat(CommandLineRun.of(args).exitCode()).isZero();
    assertThat(Files.getLastModifiedTime(folder.resolve("c/star-with-seed1/model.safetensors")))
        .isEqualTo(before);
    CommandLineRun table = CommandLineRun.of(Arrays.copyOf(args, args.length - 1));
    assertThat(table.out())
        .contains("star, 2 seeds", "RelaImpr", "random vectors", "users_under_20_train_rows")
        .contains("projected vectors", "learned vectors", "scenario id", "Holm");
    List<String> csv = Files.readAllLines(folder.resolve("c/compare.csv"));
    // 2 backbones, 8 models, 2 scenarios with the whole and 4 slices, 4 measures.
    assertThat(csv).hasSize(1 + 2 * 8 * 7 * 4);
    assertThat(table.out()).contains("sparsest_scenario", "cold_users", "cold_items");
    String sparsest = "/backbones/star/sparsest_scenario/auc/with/";
    JsonNode store = json.at("/backbones/star/store/auc/with");
    assertThat(json.at(sparsest + "values")).isEqualTo(store.get("values"));
    for (String seed : List.of("0", "1")) {
      assertThat(store.at("/values/" + seed).asDouble()).isBetween(0.0, 1.0);
    }
    double over = json.at(sparsest + "over_random/mean").asDouble();
    double random = json.at("/backbones/star/store/auc/random/mean").asDouble();
    assertThat(over).isEqualTo(store.at("/mean").asDouble() - random, offset(1e-12));
    assertThat(json.at(sparsest + "over_random/low").asDouble()).isLessThanOrEqualTo(over);
    assertThat(json.at(sparsest + "over_random").has("holm_p")).isTrue();
    assertThat(csv.getFirst()).startsWith("backbone,model,part,rows,measure,mean,");
    CommandLineRun other = CommandLineRun.of(compare(shop, "--seeds", "2", "--patience", "1"));
    assertThat(other.exitCode()).isEqualTo(1);
    assertThat(other.err()).contains("star-without-seed1", "other settings");
  }

  private double[] auc(String backbone, String arm, String part) {
    double[] values = new double[2];
    for (int seed = 1; seed <= 2; seed++) {
      Path run = folder.resolve("c/" + backbone + "-" + arm + "-seed" + seed);
      JsonNode metrics = JsonMapper.shared().readTree(run.resolve("metrics.json"));
      values[seed - 1] = metrics.at("/" + part + "/auc").asDouble();
    }
    return values;
  }

  @Test
  void withoutKnowledgeTheBackbonesAreComparedAlone() throws IOException {
    TinyShop shop = TinyShop.write(folder, 1_000);
    CommandLineRun run = CommandLineRun.of(compare(shop, "--seeds", "1"));
    assertThat(run.exitCode()).isZero();
    assertThat(run.out()).contains("star, 1 seed").doesNotContain("with LLM4MSR");
    CommandLineRun again = CommandLineRun.of(compare(shop, "--seeds", "1", "--controls"));
    assertThat(again.err()).contains("--controls: needs --knowledge");
    CommandLineRun id = CommandLineRun.of(compare(shop, "--seeds", "1", "--controls=scenario_id"));
    assertThat(id.out()).contains("n/a", "at least two seeds").doesNotContain("- to -");
    CommandLineRun unknown = CommandLineRun.of(compare(shop, "--controls", "moon"));
    assertThat(unknown.err()).contains("--controls: expected scenario_id", "found moon");
  }

  @Test
  void whatIsNoComparisonOfLlm4MsrIsRefused() throws IOException {
    TinyShop shop = TinyShop.write(folder, 1_000);
    for (String vectors : List.of("random", "learned")) {
      CommandLineRun run =
          CommandLineRun.of(compare(shop, "--knowledge", shop.knowledge(), "--vectors", vectors));
      assertThat(run.exitCode()).isEqualTo(2);
      assertThat(run.err()).contains("--vectors " + vectors, "use --controls " + vectors);
    }
    CommandLineRun off =
        CommandLineRun.of(compare(shop, "--knowledge", shop.knowledge(), "--meta", "off"));
    assertThat(off.exitCode()).isEqualTo(2);
    assertThat(off.err()).contains("--meta off", "--controls");
    assertThat(folder.resolve("c")).doesNotExist();
  }

  @Test
  void aControlThatIsNoOtherModelIsLeftOut() throws IOException {
    TinyShop shop = TinyShop.write(folder, 1_000);
    CommandLineRun run =
        CommandLineRun.of(
            compare(
                shop,
                "--knowledge",
                shop.knowledge(),
                "--meta=user",
                "--controls=all",
                "--cross-fit=0",
                "--scenario-id",
                "--seeds=1",
                "--json"));
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.err()).contains("left out of --controls: scenario_id, user, scenario");
    assertThat(JsonMapper.shared().readTree(run.out()).at("/cost/star").propertyNames())
        .containsExactly("without", "learned", "random", "projection", "with");
  }

  private void assertRefusedBeforeAnyTraining(String message, String... args) {
    CommandLineRun run = CommandLineRun.of(args);
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).contains(message).doesNotContain("epoch").doesNotContain("\tat ");
    assertThat(folder.resolve("c/sharedbottom-without-seed1")).doesNotExist();
  }

  @Test
  void wrongInputsAreRefusedBeforeTheFirstTraining() throws IOException {
    TinyShop shop = TinyShop.write(folder, 1_000);
    Path strangers = folder.resolve("strangers.safetensors");
    float[] vector = {1, 2, 3, 4, 5};
    TinyShop.writeKnowledge(
        strangers, Map.of("user/nobody", vector, "scenario/web", vector, "scenario/store", vector));
    assertRefusedBeforeAnyTraining(
        "no vector belongs to a user",
        compare(shop, "--backbones=sharedbottom", "--knowledge", strangers.toString()));
    assertRefusedBeforeAnyTraining(
        "interactions.logit", compare(shop, "--backbones=sharedbottom,external"));
    assertRefusedBeforeAnyTraining(
        "no scenario 'moon'",
        compare(shop, "--backbones=sharedbottom", "--scenario-weight", "moon=2"));
    // The second backbone's second seed is there already, with other settings.
    CommandLineRun other =
        CommandLineRun.of(compare(shop, "--seed=2", "--seeds=1", "--patience=1"));
    assertThat(other.exitCode()).as(other.err()).isZero();
    assertRefusedBeforeAnyTraining(
        "star-without-seed2: holds a finished run with other settings",
        compare(shop, "--backbones=sharedbottom,star", "--seeds=2"));
  }

  @Test
  void runsOfDifferentEnvironmentsAreNotMixedSilently() throws IOException {
    TinyShop shop = TinyShop.write(folder, 1_000);
    CommandLineRun first = CommandLineRun.of(compare(shop, "--seeds=1", "--threads=1"));
    assertThat(first.err()).doesNotContain("warning");
    JsonNode json = JsonMapper.shared().readTree(folder.resolve("c/compare.json"));
    assertThat(json.at("/warnings")).isEmpty();
    assertThat(json.at("/environments")).hasSize(1);
    CommandLineRun second = CommandLineRun.of(compare(shop, "--seeds=2", "--threads=2"));
    assertThat(second.exitCode()).as(second.err()).isZero();
    List<String> warnings =
        second.err().lines().filter(line -> line.startsWith("warning: ")).toList();
    assertThat(warnings).hasSize(1);
    String warning = warnings.getFirst().substring("warning: ".length());
    assertThat(warning).contains("--threads 1", "--threads 2", "differ in version, backend");
    json = JsonMapper.shared().readTree(folder.resolve("c/compare.json"));
    assertThat(json.at("/warnings/0").stringValue()).isEqualTo(warning);
    assertThat(json.at("/environments")).hasSize(2);
    assertThat(json.at("/environments/0/threads").asInt()).isEqualTo(1);
    assertThat(json.at("/environments/1/threads").asInt()).isEqualTo(2);
    assertThat(Files.readString(folder.resolve("c/report.html"))).contains(warning);
  }

  /** Counted in the log itself. */
  @Test
  void aScenarioThatIsCutLosesTrainingRowsAndNothingElse() throws IOException {
    TinyShop shop = TinyShop.write(folder, 1_000);
    List<String> log = Files.readAllLines(folder.resolve("log.csv"));
    long test =
        log.stream().filter(line -> line.contains("store") && line.endsWith("test")).count();
    CommandLineRun run =
        CommandLineRun.of(compare(shop, "--seeds", "1", "--cut", "web=0.2", "--json"));
    assertThat(run.exitCode()).isZero();
    JsonNode json = JsonMapper.shared().readTree(run.out());
    assertThat(json.at("/sparsest_scenario").stringValue()).isEqualTo("web");
    assertThat(json.at("/backbones/star/store/rows").asLong()).isEqualTo(test);
    assertThat(json.at("/backbones/star/overall/rows").asLong()).isEqualTo(100);
    Path cut = folder.resolve("c/star-without-seed1");
    assertThat(Files.readString(cut.resolve("config.yaml"))).contains("web: 0.2");
    CommandLineRun evaluated = CommandLineRun.of("evaluate", "--run", cut.toString(), "--json");
    assertThat(JsonMapper.shared().readTree(evaluated.out()))
        .isEqualTo(JsonMapper.shared().readTree(cut.resolve("metrics.json")));
    CommandLineRun whole = CommandLineRun.of(compare(shop, "--seeds", "1"));
    assertThat(whole.err()).contains("other settings");
    CommandLineRun unknown = CommandLineRun.of(compare(shop, "--cut", "moon=0.2"));
    assertThat(unknown.err()).contains("--cut", "'moon'", "store, web");
    CommandLineRun none = CommandLineRun.of(compare(shop, "--cut", "web=0"));
    assertThat(none.err()).contains("--cut", "above 0", "web");
  }

  /** The log with a column that half knows what is clicked, and the AUC of it on the test rows. */
  private double addScores() throws IOException {
    Random random = new Random(3);
    List<String> lines = Files.readAllLines(folder.resolve("log.csv"));
    StringBuilder scored = new StringBuilder(lines.getFirst() + ",score\n");
    List<Double> positive = new ArrayList<>();
    List<Double> negative = new ArrayList<>();
    for (String line : lines.subList(1, lines.size())) {
      boolean clicked = line.matches(".*,1,(train|valid|test)");
      double score = (clicked ? 0.5 : -0.5) + random.nextGaussian();
      scored.append(line).append(',').append(score).append('\n');
      if (line.endsWith("test")) {
        (clicked ? positive : negative).add(score);
      }
    }
    Files.writeString(folder.resolve("log.csv"), scored);
    Path yaml = folder.resolve("shop.yaml");
    Files.writeString(
        yaml, Files.readString(yaml).replace("label: clicked", "label: clicked\n  logit: score"));
    long wins =
        positive.stream().mapToLong(p -> negative.stream().filter(n -> n < p).count()).sum();
    return (double) wins / positive.size() / negative.size();
  }

  @Test
  void anExistingRecommenderIsComparedWithItselfAndKnowledge() throws IOException {
    TinyShop shop = TinyShop.write(folder, 1_000);
    String[] plain = {"train", "--data", shop.data(), "--backbone", "external", "--epochs", "1"};
    List<String> train = new ArrayList<>(Arrays.asList(plain));
    train.addAll(List.of("--out", folder.resolve("run").toString()));
    CommandLineRun withoutScores = CommandLineRun.of(train.toArray(String[]::new));
    assertThat(withoutScores.exitCode()).isEqualTo(1);
    assertThat(withoutScores.err()).contains("interactions.logit");
    double auc = addScores();
    train.addAll(List.of("--knowledge", shop.knowledge(), "--meta", "user"));
    CommandLineRun userOnly = CommandLineRun.of(train.toArray(String[]::new));
    assertThat(userOnly.exitCode()).as(userOnly.err()).isZero();
    CommandLineRun run =
        CommandLineRun.of(
            compare(
                shop,
                "--knowledge",
                shop.knowledge(),
                "--controls",
                "all",
                "--seeds",
                "2",
                "--backbones",
                "external,star"));
    assertThat(run.err()).doesNotContain("\tat ");
    assertThat(run.exitCode()).isZero();
    for (String arm : List.of("without", "scenario_id", "projection")) {
      for (double same : auc("external", arm, "overall")) {
        assertThat(same).as(arm).isEqualTo(auc, offset(1e-9));
      }
    }
    // So few steps hardly change the order, but they change what is predicted.
    Path alone = folder.resolve("c/external-without-seed1/predictions.csv");
    Path with = folder.resolve("c/external-with-seed1/predictions.csv");
    assertThat(Files.readAllLines(with)).isNotEqualTo(Files.readAllLines(alone));
    CommandLineRun evaluated =
        CommandLineRun.of(
            "evaluate", "--run", folder.resolve("c/external-without-seed1").toString(), "--json");
    assertThat(JsonMapper.shared().readTree(evaluated.out()).at("/overall/auc").asDouble())
        .isEqualTo(auc, offset(1e-9));
  }
}
