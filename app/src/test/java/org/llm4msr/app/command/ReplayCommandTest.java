package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.run.TinyShop;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.xml.sax.InputSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ReplayCommandTest {
  private static final int REQUESTS = 60;

  @TempDir private static Path folder;
  private static Path first;
  private static Path second;
  private static List<String> requests;

  @BeforeAll
  static void train() throws IOException {
    TinyShop shop = TinyShop.write(folder, 1_000);
    first = snapshot(shop, "1");
    second = snapshot(shop, "2");
    Random random = new Random(3);
    requests = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      String items =
          random
              .ints(12, 0, 24)
              .mapToObj(item -> "\"i," + item + "\"")
              .collect(Collectors.joining(","));
      String user = i % 10 == 9 ? "null" : "\"u" + random.nextInt(20) + "\"";
      requests.add(
          "{\"user\":%s,\"scenario\":\"%s\",\"items\":[%s]"
              .formatted(user, i % 3 == 0 ? "store" : "web", items));
    }
  }

  private static Path snapshot(TinyShop shop, String seed) {
    Path run = folder.resolve("run" + seed);
    Path file = folder.resolve(seed + ".snapshot");
    CommandLineRun.train(shop, run, "--epochs=2", "--lr=0.02", "--hidden=8", "--seed=" + seed);
    CommandLineRun exported = CommandLineRun.of("export", "--run=" + run, "--out=" + file);
    assertThat(exported.exitCode()).as(exported.err()).isZero();
    return file;
  }

  @AfterEach
  void nothingStaysOpen() {
    assertThat(AllocationTracker.open()).isEmpty();
  }

  private static Path write(List<String> lines) throws IOException {
    return Files.write(folder.resolve("log.jsonl"), lines);
  }

  private static double[][] scored(Path snapshot) throws IOException {
    Path log = write(requests.stream().map(request -> request + "}").toList());
    CommandLineRun scored = CommandLineRun.of("score", "--snapshot=" + snapshot, "--input=" + log);
    assertThat(scored.exitCode()).as(scored.err()).isZero();
    return scored
        .out()
        .lines()
        .map(line ->
            JsonMapper.shared()
                .readTree(line)
                .get("probabilities")
                .valueStream()
                .mapToDouble(JsonNode::doubleValue)
                .toArray())
        .toArray(double[][]::new);
  }

  private static JsonNode replay(Path log, Path out, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of("replay", "--snapshot=" + first, "--log=" + log, "--out=" + out, "--json"));
    args.addAll(List.of(more));
    CommandLineRun replayed = CommandLineRun.of(args.toArray(String[]::new));
    assertThat(replayed.exitCode()).as(replayed.err()).isZero();
    return JsonMapper.shared().readTree(replayed.out());
  }

  private static double mean(JsonNode part, String measure) {
    return part.get(measure).get("mean").doubleValue();
  }

  @Test
  void twoSnapshotsDifferAsTheirScoresDo() throws Exception {
    double[][] a = scored(first);
    double[][] b = scored(second);
    Path log = write(requests.stream().map(request -> request + "}").toList());
    Path out = folder.resolve("against");
    JsonNode result = replay(log, out, "--against=" + second, "--top=3");
    assertThat(result.get("all").get("requests").intValue()).isEqualTo(REQUESTS);
    assertThat(result.get("all").get("unknown_users").intValue()).isEqualTo(REQUESTS / 10);
    for (String scenario : TinyShop.SCENARIOS) {
      int[] of =
          IntStream.range(0, REQUESTS)
              .filter(i -> (i % 3 == 0) == scenario.equals("store"))
              .toArray();
      JsonNode part = result.get("scenarios").get(scenario);
      assertThat(part.get("items").intValue()).isEqualTo(12 * of.length);
      double difference = 0;
      double correlation = 0;
      for (int i : of) {
        double concordant = 0;
        double pairsOfA = 0;
        double pairsOfB = 0;
        for (int p = 0; p < 12; p++) {
          difference += (a[i][p] - b[i][p]) / 12 / of.length;
          for (int q = 0; q < p; q++) {
            double sign = Math.signum(a[i][p] - a[i][q]);
            double other = Math.signum(b[i][p] - b[i][q]);
            concordant += sign * other;
            pairsOfA += Math.abs(sign);
            pairsOfB += Math.abs(other);
          }
        }
        correlation += concordant / Math.sqrt(pairsOfA * pairsOfB) / of.length;
      }
      assertThat(mean(part, "score_difference")).isCloseTo(difference, within(1e-6));
      assertThat(mean(part, "rank_correlation")).isCloseTo(correlation, within(1e-6));
      JsonNode interval = part.get("score_difference");
      assertThat(interval.get("low").doubleValue()).isLessThan(difference);
      assertThat(interval.get("high").doubleValue()).isGreaterThan(difference);
      assertThat(part.get("latency_micros").get("p99").doubleValue()).isPositive();
      assertThat(part.get("against_latency_micros").get("p50").doubleValue()).isPositive();
    }
    String html = Files.readString(out.resolve("replay.html"));
    assertThat(html).contains("60 requests", "store", "web").doesNotContain("<script", "http");
    assertThat(html.replace("<!DOCTYPE html>", ""))
        .satisfies(text ->
            DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(text))));
    List<String> csv = Files.readAllLines(out.resolve("replay.csv"));
    assertThat(csv.getFirst()).isEqualTo("scenario,measure,mean,low,high,requests");
    assertThat(csv).hasSize(1 + 3 * 7);
    assertThat(JsonMapper.shared().readTree(Files.readString(out.resolve("replay.json"))))
        .isEqualTo(result);
  }

  @Test
  void theLogsOwnScoresAndLabelsAreComparedWith() throws IOException {
    double[][] a = scored(first);
    Random random = new Random(4);
    List<String> lines = new ArrayList<>();
    double expected = 0;
    for (int i = 0; i < REQUESTS; i++) {
      double[] own = a[i];
      // The recommender in service has them upside down: a perfect order becomes the worst.
      String scores =
          java.util.Arrays.stream(own)
              .mapToObj(p -> String.format(Locale.ROOT, "%.9f", 1 - p))
              .collect(Collectors.joining(",", "[", "]"));
      double cut = java.util.Arrays.stream(own).sorted().toArray()[6];
      String labels =
          java.util.Arrays.stream(own)
              .mapToObj(p -> p >= cut ? "1" : "0")
              .collect(Collectors.joining(",", "[", "]"));
      lines.add(
          requests.get(i)
              + ",\"scores\":%s,\"labels\":%s,\"latency_micros\":%d}"
                  .formatted(scores, labels, 500 + random.nextInt(100)));
      expected += java.util.Arrays.stream(own).map(p -> 2 * p - 1).average().orElseThrow();
    }
    JsonNode all = replay(write(lines), folder.resolve("logged")).get("all");
    assertThat(mean(all, "score_difference")).isCloseTo(expected / REQUESTS, within(1e-6));
    assertThat(mean(all, "rank_correlation")).isCloseTo(-1, within(1e-9));
    assertThat(mean(all, "auc_difference")).isCloseTo(1, within(1e-9));
    assertThat(all.get("against_latency_micros").get("p50").doubleValue()).isBetween(500.0, 600.0);
  }

  @Test
  void theSameSnapshotDiffersInNothing() throws IOException {
    Path log = write(requests.stream().map(request -> request + "}").toList());
    Path out = folder.resolve("same");
    JsonNode all = replay(log, out, "--against=" + first).get("all");
    assertThat(mean(all, "absolute_difference")).isZero();
    assertThat(mean(all, "top_share")).isEqualTo(1);
    assertThat(mean(all, "same_first")).isEqualTo(1);
    CommandLineRun printed =
        CommandLineRun.of(
            "replay", "--snapshot=" + first, "--against=" + first, "--log=" + log, "--out=" + out);
    assertThat(printed.out()).contains("all scenarios", "Kendall's tau", "replay.html");
  }

  @Test
  void wrongLinesAreNamedBeforeTheWork() throws IOException {
    String good = requests.getFirst();
    String[][] cases = {
      {"{", "not valid JSON"},
      {good + ",\"scores\":[1]}", "scores: expected an array of numbers, one for each of 12"},
      {good + ",\"mood\":1}", "mood: unknown field"},
      {good + ",\"latency_micros\":-1}", "latency_micros: expected a number from 0"},
      {good + ",\"labels\":[" + "2,".repeat(11) + "2]}", "labels[0]: expected 0 or 1"},
      {good + "}", "scores: missing, expected the logged score"},
      {good.replace("store", "moon") + ",\"scores\":[" + "1,".repeat(11) + "1]}", "no scenario"},
    };
    Path out = folder.resolve("none");
    String scored = good + ",\"scores\":[" + "1,".repeat(11) + "1]}";
    for (String[] line : cases) {
      Path log = write(List.of(scored, "", line[0]));
      CommandLineRun refused =
          CommandLineRun.of("replay", "--snapshot=" + first, "--log=" + log, "--out=" + out);
      assertThat(refused.exitCode()).as(line[0]).isEqualTo(1);
      assertThat(refused.err()).contains("log.jsonl:3: ", line[1]).doesNotContain("internal");
    }
    CommandLineRun empty =
        CommandLineRun.of(
            "replay", "--snapshot=" + first, "--log=" + write(List.of()), "--out=" + out);
    assertThat(empty.err()).contains("log.jsonl: holds no request");
    assertThat(out).doesNotExist();
    CommandLineRun help = CommandLineRun.of("replay", "--help");
    assertThat(help.out()).contains("Examples:", "latency_micros");
  }
}
