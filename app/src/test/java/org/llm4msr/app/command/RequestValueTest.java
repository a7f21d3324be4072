package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.serve.ScorerPool;
import org.llm4msr.app.serve.ScoringService;
import org.llm4msr.model.scorer.Scorer;
import org.llm4msr.model.scorer.Snapshot;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A request says its values as the log does, and buckets, labels and first elements are made of
 * them as in training: its scores are those that evaluation wrote of the log's rows.
 */
class RequestValueTest {
  private static final int ROWS = 700;
  private static final int TRAINED = 600;
  private static final List<String> FIELDS =
      List.of("visits", "amount", "balance", "device", "topics", "tags", "place_id");

  @TempDir private static Path folder;
  private static Path snapshot;

  /** Of each row: its values as the log has them, null where it has none. */
  private static final List<Map<String, String>> VALUES = new ArrayList<>();

  private record TestRow(int row, String user, String item, String scenario, float expected) {}

  private static final List<TestRow> TESTED = new ArrayList<>();

  @BeforeAll
  static void export() throws IOException {
    Random random = new Random(11);
    StringBuilder log =
        new StringBuilder("user,item,place,clicked,part," + String.join(",", FIELDS) + "\n");
    for (int row = 0; row < ROWS; row++) {
      Map<String, String> values = new LinkedHashMap<>();
      // Test rows have numbers that no training row has.
      double fraction = row < TRAINED ? 0 : 0.5;
      values.put("visits", Double.toString(random.nextInt(-3, 300) + fraction));
      values.put("amount", row % 11 == 0 ? null : Double.toString(random.nextGaussian() * 1e4));
      values.put("balance", random.nextInt(4) + (row < TRAINED ? "" : ".25"));
      values.put("device", random.nextInt(4) == 0 ? null : "d" + random.nextInt(3));
      values.put("topics", "t" + random.nextInt(3) + "|t" + random.nextInt(3));
      values.put("tags", "g" + random.nextInt(4));
      values.put("place_id", Integer.toString(random.nextInt(40)));
      VALUES.add(values);
      log.append(
          "u%d,i%d,%s,%d,%s"
              .formatted(
                  row % 20,
                  random.nextInt(15),
                  row % 3 == 0 ? "web" : "store",
                  random.nextInt(2),
                  row < TRAINED ? "train" : row < 650 ? "valid" : "test"));
      values.values().forEach(value -> log.append(',').append(value == null ? "" : value));
      log.append('\n');
    }
    Files.writeString(folder.resolve("log.csv"), log);
    Files.writeString(
        folder.resolve("log.yaml"),
        """
        interactions: {path: log.csv, user: user, item: item, scenario: place, label: clicked}
        features:
          - user
          - item
          - {name: visits, buckets: log}
          - {name: amount, buckets: {quantiles: 8}}
          - {name: balance, buckets: log, labels: {"0": none, "2 to 3": some}}
          - {name: device, labels: {d0: d1, d1: d0}}
          - {name: topics, separator: "|"}
          - {name: tags, pooling: sum, labels: {g1: g2, g3: other}}
          - {name: place_id, hash: 13, labels: {"7": "8"}}
        split: {column: part}
        """);
    Path run = folder.resolve("run");
    snapshot = folder.resolve("log.snapshot");
    succeed("train", "--data=" + folder.resolve("log.yaml"), "--out=" + run, "--epochs=2");
    succeed("export", "--run=" + run, "--out=" + snapshot);
    for (String line :
        Files.readAllLines(run.resolve("predictions.csv")).stream().skip(1).toList()) {
      // row from 1, user, item, scenario, label, probability
      String[] fields = line.split(",");
      TESTED.add(
          new TestRow(
              Integer.parseInt(fields[0]) - 1,
              fields[1],
              fields[2],
              fields[3],
              Float.parseFloat(fields[5])));
    }
    assertThat(TESTED).hasSize(50);
  }

  private static CommandLineRun succeed(String... args) {
    CommandLineRun ran = CommandLineRun.of(args);
    assertThat(ran.exitCode()).as(ran.err()).isZero();
    return ran;
  }

  /** A request about a row; numbers are JSON's or text. */
  private static String request(TestRow tested, boolean numbers) {
    List<String> context = new ArrayList<>();
    VALUES
        .get(tested.row())
        .forEach((field, value) -> {
          boolean number = List.of("visits", "amount", "balance", "place_id").contains(field);
          String text = value == null ? "null" : "\"" + value + "\"";
          context.add("\"" + field + "\": " + (numbers && number ? value : text));
        });
    return "{\"user\": \"%s\", \"scenario\": \"%s\", \"items\": [\"%s\"], \"context\": {%s}}"
        .formatted(tested.user(), tested.scenario(), tested.item(), String.join(", ", context));
  }

  private static List<JsonNode> score(List<String> requests) throws IOException {
    Path file = folder.resolve("requests.jsonl");
    Files.write(file, requests);
    return succeed("score", "--snapshot=" + snapshot, "--input=" + file)
        .out()
        .lines()
        .map(JsonMapper.shared()::readTree)
        .toList();
  }

  @Test
  void numbersAndTextsScoreAsEvaluated() throws IOException {
    for (boolean numbers : new boolean[] {true, false}) {
      List<JsonNode> answers =
          score(TESTED.stream().map(tested -> request(tested, numbers)).toList());
      for (int i = 0; i < TESTED.size(); i++) {
        assertThat(answers.get(i).at("/probabilities/0").floatValue())
            .as(request(TESTED.get(i), numbers))
            .isCloseTo(TESTED.get(i).expected(), within(1e-5f));
      }
    }
  }

  @Test
  void theServiceScoresBothFormsAsEvaluated() throws Exception {
    InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    try (ScorerPool pool = new ScorerPool(Snapshot.open(snapshot), null, 1);
        ScoringService service =
            new ScoringService(
                any, null, pool, ServedShop.LIMITS, null, new PrintWriter(System.err, true));
        HttpClient client = HttpClient.newHttpClient()) {
      service.start();
      URI address = URI.create("http://127.0.0.1:" + service.port() + "/v1/score");
      for (TestRow tested : TESTED) {
        byte[] json = request(tested, true).getBytes(StandardCharsets.UTF_8);
        byte[] answer = send(client, address, "application/json", json);
        assertThat(JsonMapper.shared().readTree(answer).at("/probabilities/0").floatValue())
            .isCloseTo(tested.expected(), within(1e-5f));
        answer = send(client, address, "application/vnd.llm4msr", binary(tested));
        assertThat(ByteBuffer.wrap(answer).order(ByteOrder.LITTLE_ENDIAN).getFloat(16))
            .isCloseTo(tested.expected(), within(1e-5f));
      }
    }
  }

  private static byte[] send(HttpClient client, URI address, String type, byte[] body)
      throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(address)
            .header("Content-Type", type)
            .POST(HttpRequest.BodyPublishers.ofByteArray(body))
            .build();
    return client.send(request, BodyHandlers.ofByteArray()).body();
  }

  /** The binary form of a request about a row, as docs/serving.md describes it. */
  private static byte[] binary(TestRow tested) {
    List<String> strings = new ArrayList<>(List.of(tested.scenario(), tested.user()));
    VALUES
        .get(tested.row())
        .forEach((field, value) -> {
          if (value != null) {
            strings.add(field);
            strings.add(value);
          }
        });
    int values = (strings.size() - 2) / 2;
    strings.add(tested.item());
    ByteBuffer head = ByteBuffer.allocate(20).order(ByteOrder.LITTLE_ENDIAN);
    head.put("LMSR".getBytes(StandardCharsets.US_ASCII)).putShort((short) 1).putShort((short) 1);
    head.putInt(0).putInt(values).putInt(1);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(head.array());
    for (String string : strings) {
      out.write(string.length());
      out.write(0);
      out.writeBytes(string.getBytes(StandardCharsets.US_ASCII));
    }
    return out.toByteArray();
  }

  @Test
  void aScorerTakesNumbersForBuckets() {
    try (Snapshot opened = Snapshot.open(snapshot);
        Scorer scorer = opened.scorer()) {
      float[] probability = new float[1];
      for (TestRow tested : TESTED) {
        Map<String, String> values = VALUES.get(tested.row());
        for (int field = 0; field < FIELDS.size(); field++) {
          String name = opened.contextFields().get(field);
          String value = values.get(name);
          switch (name) {
            case "visits", "amount", "balance" ->
                scorer.setContext(field, value == null ? Double.NaN : Double.parseDouble(value));
            case "tags" -> scorer.setContext(field, List.of(value));
            default -> scorer.setContext(field, value);
          }
        }
        scorer.score(
            opened.scenario(tested.scenario()),
            opened.user(tested.user()),
            new int[] {opened.item(tested.item())},
            probability);
        assertThat(probability[0]).isCloseTo(tested.expected(), within(1e-5f));
      }
    }
  }

  @Test
  void namesOfBucketsAndLabelsAreValuesToo() throws IOException {
    String form =
        "{\"user\": \"u1\", \"scenario\": \"web\", \"items\": [\"i1\"], \"context\": {%s}}";
    String[][] same = {
      {"\"visits\": 5.5", "\"visits\": \"4 to 7\""},
      {"\"visits\": -2", "\"visits\": \"below 0\""},
      {"\"balance\": 0.25", "\"balance\": \"none\""},
      {"\"balance\": 3", "\"balance\": \"some\""},
      {"\"tags\": [\"g3\"]", "\"tags\": [\"other\"]"},
      {"\"topics\": \" t1 | t2\"", "\"topics\": \"t1\""},
      // What is no number says nothing, in a log too; so does what is beyond all numbers.
      {"\"visits\": \"many\"", "\"visits\": null"},
      {"\"visits\": 1e999", "\"visits\": null"},
    };
    List<String> requests = new ArrayList<>();
    for (String[] pair : same) {
      requests.add(form.formatted(pair[0]));
      requests.add(form.formatted(pair[1]));
    }
    requests.add(form.formatted(""));
    List<JsonNode> answers = score(requests);
    for (int i = 0; i < same.length; i++) {
      assertThat(answers.get(2 * i)).as(same[i][0]).isEqualTo(answers.get(2 * i + 1));
    }
    // The model tells known values from unknown ones, so that the above says something.
    JsonNode unknown = answers.getLast();
    for (int i = 0; i < 6; i++) {
      assertThat(answers.get(2 * i)).as(same[i][0]).isNotEqualTo(unknown);
    }
  }
}
