package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** What requests say of themselves: categories, numbers, lists and a history. */
class RequestContextTest {
  private static final int ROWS = 600;

  @TempDir private Path folder;
  private Path snapshot;
  private Path run;
  private final List<String> contexts = new ArrayList<>();

  @BeforeEach
  void export() throws IOException {
    Random random = new Random(3);
    StringBuilder log = new StringBuilder("user,item,place,day,price,words,time,clicked,part\n");
    for (int row = 0; row < ROWS; row++) {
      int user = row % 20;
      String price =
          row % 9 == 0 ? "" : Double.toString(Math.round(random.nextDouble() * 1e4) / 1e2);
      List<String> words = random.ints(row % 4, 0, 6).mapToObj(i -> "w" + i).toList();
      String day = "d" + random.nextInt(3);
      log.append(
          "u%d,i%d,%s,%s,%s,%s,%d,%d,%s%n"
              .formatted(
                  user,
                  random.nextInt(15),
                  row % 3 == 0 ? "web" : "store",
                  day,
                  price,
                  String.join(" ", words),
                  row,
                  random.nextInt(2),
                  row < 500 ? "train" : row < 550 ? "valid" : "test"));
      contexts.add(
          "\"day\": \"%s\", \"price\": %s, \"words\": %s"
              .formatted(
                  day,
                  price.isEmpty() ? "null" : price,
                  JsonMapper.shared().writeValueAsString(words)));
    }
    Files.writeString(folder.resolve("log.csv"), log);
    Files.writeString(
        folder.resolve("log.yaml"),
        """
        interactions: {path: log.csv, user: user, item: item, scenario: place, label: clicked, time: time}
        features:
          - user
          - item
          - {name: day}
          - {name: price, type: number}
          - {name: words, separator: " ", pooling: mean}
          - {name: liked, from: history, pooling: sum, max: 3}
        split: {column: part}
        """);
    run = folder.resolve("run");
    snapshot = folder.resolve("log.snapshot");
    succeed(
        "train",
        "--data",
        folder.resolve("log.yaml").toString(),
        "--out",
        run.toString(),
        "--epochs=1",
        "--hidden=8",
        "--embedding-dim=4");
    succeed("export", "--run", run.toString(), "--out", snapshot.toString());
  }

  private static CommandLineRun succeed(String... args) {
    CommandLineRun ran = CommandLineRun.of(args);
    assertThat(ran.exitCode()).as(ran.err()).isZero();
    return ran;
  }

  private CommandLineRun score(List<String> requests) throws IOException {
    Path file = folder.resolve("requests.jsonl");
    Files.write(file, requests);
    return CommandLineRun.of(
        "score", "--snapshot", snapshot.toString(), "--input", file.toString());
  }

  /** Items that a user liked among the training rows before, oldest first, as the log has them. */
  private String liked(int row) throws IOException {
    List<String> lines = Files.readAllLines(folder.resolve("log.csv"));
    String user = lines.get(row + 1).split(",")[0];
    List<String> liked = new ArrayList<>();
    for (int before = 0; before < Math.min(row, 500); before++) {
      String[] fields = lines.get(before + 1).split(",");
      if (fields[0].equals(user) && fields[7].equals("1")) {
        liked.add("\"" + fields[1] + "\"");
      }
    }
    return String.join(", ", liked);
  }

  @Test
  void requestsScoreAsEvaluated() throws IOException {
    List<String> requests = new ArrayList<>();
    List<Float> expected = new ArrayList<>();
    for (String line :
        Files.readAllLines(run.resolve("predictions.csv")).stream().skip(1).toList()) {
      // row from 1, user, item, scenario, label, probability
      String[] fields = line.split(",");
      int row = Integer.parseInt(fields[0]) - 1;
      requests.add(
          "{\"user\": \"%s\", \"scenario\": \"%s\", \"items\": [\"%s\"], \"context\": {%s, \"liked\": [%s]}}"
              .formatted(fields[1], fields[3], fields[2], contexts.get(row), liked(row)));
      expected.add(Float.valueOf(fields[5]));
    }
    assertThat(requests).hasSize(50);
    CommandLineRun scored = score(requests);
    assertThat(scored.exitCode()).as(scored.err()).isZero();
    List<String> lines = scored.out().lines().toList();
    for (int i = 0; i < requests.size(); i++) {
      float score = JsonMapper.shared().readTree(lines.get(i)).at("/probabilities/0").floatValue();
      assertThat(score).as(requests.get(i)).isCloseTo(expected.get(i), within(1e-5f));
    }
  }

  @Test
  void aByteOrderMarkIsPassedOverAndAnEmptyFileRefused() throws IOException {
    String request = "{\"user\": \"u1\", \"scenario\": \"web\", \"items\": [\"i1\"]}";
    assertThat(score(List.of("\uFEFF" + request)).out()).isEqualTo(score(List.of(request)).out());
    CommandLineRun empty = score(List.of("", " "));
    assertThat(empty.exitCode()).isEqualTo(1);
    assertThat(empty.err()).contains("requests.jsonl: holds no request, expected one JSON object");
    CommandLineRun noNumber = score(List.of(request.replace("[\"i1\"]", "NaN")));
    assertThat(noNumber.err()).contains("requests.jsonl:1: not valid JSON", "'NaN' (line 1");
  }

  @Test
  void valuesOfAnotherKindAreRefusedByName() throws IOException {
    String[][] cases = {
      {"\"price\": \"much\"", "context.price: expected a finite number, not 'much'"},
      {"\"price\": 1e999", "context.price: expected a finite number"},
      {"\"price\": [1, 2]", "context.price: expected one value, not a list of 2"},
      {"\"day\": [\"d1\", \"d2\"]", "context.day: expected one value, not a list of 2"},
      {"\"words\": [true]", "context.words[0]: expected a string, a number"},
    };
    for (String[] wrong : cases) {
      CommandLineRun scored =
          score(
              List.of(
                  "{\"user\": \"u1\", \"scenario\": \"web\", \"items\": [\"i1\"], \"context\": {%s}}"
                      .formatted(wrong[0])));
      assertThat(scored.exitCode()).isEqualTo(1);
      assertThat(scored.err()).contains("requests.jsonl", wrong[1]);
    }
  }
}
