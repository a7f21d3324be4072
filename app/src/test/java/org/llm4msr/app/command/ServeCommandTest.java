package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.llm4msr.app.serve.ScorerPool;
import org.llm4msr.app.serve.ScoringService;
import org.llm4msr.app.serve.ScoringService.Limits;
import org.llm4msr.model.scorer.Snapshot;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;

class ServeCommandTest extends ServedShop {
  @Test
  void scoresAndRanksAsTheCommandLine() throws Exception {
    Path requests = folder.resolve("requests.jsonl");
    Files.writeString(requests, GOOD);
    JsonNode expected =
        JsonMapper.shared()
            .readTree(
                CommandLineRun.of("score", "--snapshot=" + first, "--input=" + requests).out());
    try (ScorerPool pool = new ScorerPool(Snapshot.open(first), 2);
        ScoringService service = serve(pool, LIMITS, null)) {
      int port = service.port();
      HttpResponse<String> scored = post(port, "/v1/score", GOOD);
      assertThat(scored.statusCode()).as(scored.body()).isEqualTo(200);
      assertThat(json(scored).get("probabilities")).isEqualTo(expected.get("probabilities"));
      assertThat(json(scored).get("generation").intValue()).isEqualTo(1);
      JsonNode ranked =
          json(post(port, "/v1/rank", GOOD.replace("}", ", \"top\": 2}"))).get("items");
      assertThat(ranked).hasSize(2);
      assertThat(ranked.at("/0/probability").doubleValue())
          .isGreaterThanOrEqualTo(ranked.at("/1/probability").doubleValue());
      JsonNode strangers =
          json(post(port, "/v1/score", GOOD.replace("u1", "who").replace("i,0", "what")));
      assertThat(strangers.at("/probabilities/0").doubleValue()).isBetween(0.0, 1.0);
      JsonNode model = json(get(port, "/v1/models", null)).at("/models/0");
      assertThat(model.get("users").intValue()).isEqualTo(60);
      assertThat(model.at("/context/0").stringValue()).isEqualTo("kind");
      assertThat(get(port, "/ready", null).statusCode()).isEqualTo(200);
      JsonNode stats = json(get(port, "/v1/stats", null));
      assertThat(stats.get("generation").intValue()).isEqualTo(1);
      JsonNode web = stats.at("/scenarios/1");
      assertThat(web.get("scenario").stringValue()).isEqualTo("web");
      assertThat(web.get("requests").intValue()).isEqualTo(3);
      assertThat(sum(web.get("latency"))).isEqualTo(3);
      assertThat(web.get("latency")).hasSize(stats.get("latency_bounds").size() + 1);
      assertThat(web.get("scores")).isEqualTo(twentieths(expected, expected, strangers));
      assertThat(stats.at("/scenarios/0/requests").intValue()).isZero();
      String metrics = get(port, "/metrics", null).body();
      for (int i = 0; i < 20; i++) {
        assertThat(metrics)
            .contains(
                "llm4msr_scores_total{from=\"%.2f\",scenario=\"web\"} %d.0\n"
                    .formatted(i / 20.0, web.at("/scores/" + i).intValue()));
      }
      assertThat(get(port, "/metrics", null).body())
          .contains(
              "llm4msr_http_replies_total{path=\"/v1/score\",status=\"200\"} 2.0\n",
              "llm4msr_scoring_seconds_count{scenario=\"web\"} 3\n",
              "llm4msr_scoring_seconds_bucket{scenario=\"web\",le=\"+Inf\"} 3\n",
              "llm4msr_items_total 9.0\n",
              "llm4msr_unknown_users_total 1.0\n",
              "llm4msr_unknown_items_total 1.0\n",
              "llm4msr_requests_in_flight 0.0\n");
    }
  }

  private static int sum(JsonNode counts) {
    return counts.valueStream().mapToInt(JsonNode::intValue).sum();
  }

  /** How many probabilities lie in each twentieth. */
  private static ArrayNode twentieths(JsonNode... answers) {
    int[] counts = new int[20];
    for (JsonNode answer : answers) {
      for (JsonNode probability : answer.get("probabilities")) {
        counts[(int) Math.floor(probability.doubleValue() / 0.05)]++;
      }
    }
    ArrayNode array = JsonMapper.shared().createArrayNode();
    IntStream.of(counts).forEach(array::add);
    return array;
  }

  /** A request of three items in the binary form; what is left of the header is 0. */
  private static byte[] binary(int top) {
    ByteBuffer out = ByteBuffer.allocate(44).order(ByteOrder.LITTLE_ENDIAN);
    out.put("LMSR".getBytes(StandardCharsets.US_ASCII));
    out.putShort((short) 1).putShort((short) 1).putInt(top).putInt(0).putInt(3);
    for (String text : List.of("web", "u1", "i,0", "i,1", "i,2")) {
      out.putShort((short) text.length()).put(text.getBytes(StandardCharsets.US_ASCII));
    }
    return out.array();
  }

  private ByteBuffer postBinary(int port, String path, int top) throws Exception {
    HttpRequest request =
        request(port, path, null)
            .header("Content-Type", "application/vnd.llm4msr; v=1")
            .POST(HttpRequest.BodyPublishers.ofByteArray(binary(top)))
            .build();
    HttpResponse<byte[]> response = client.send(request, BodyHandlers.ofByteArray());
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.headers().firstValue("Content-Type")).contains("application/vnd.llm4msr");
    return ByteBuffer.wrap(response.body()).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Test
  void theBinaryFormGivesTheSameProbabilities() throws Exception {
    try (ScorerPool pool = new ScorerPool(Snapshot.open(first), 1);
        ScoringService service = serve(pool, LIMITS, null)) {
      int port = service.port();
      JsonNode expected = json(post(port, "/v1/score", GOOD)).get("probabilities");
      ByteBuffer scored = postBinary(port, "/v1/score", 0);
      assertThat(scored.capacity()).isEqualTo(16 + 3 * 4);
      assertThat(scored.getInt(8)).isEqualTo(1);
      for (int i = 0; i < 3; i++) {
        assertThat(scored.getFloat(16 + 4 * i)).isEqualTo(expected.get(i).floatValue());
      }
      JsonNode best = json(post(port, "/v1/rank", GOOD)).at("/items/0");
      ByteBuffer ranked = postBinary(port, "/v1/rank", 1);
      assertThat(ranked.capacity()).isEqualTo(16 + 8);
      assertThat("i," + ranked.getInt(16)).isEqualTo(best.get("item").stringValue());
      assertThat(ranked.getFloat(20)).isEqualTo(best.get("probability").floatValue());
      assertThat(post(port, "/v1/reload", "").statusCode()).isEqualTo(200);
      String type = "Content-Type: application/vnd.llm4msr";
      assertThat(raw(port, head("POST /v1/reload", type, "Content-Length: 0"))).contains(" 415 ");
      assertThat(raw(port, head("POST /v1/score", type, "Content-Length: 4") + "LMSR"))
          .contains(" 400 ");
    }
  }

  @Test
  void whatIsWrongGetsItsStatus() throws Exception {
    try (ScorerPool pool = new ScorerPool(Snapshot.open(first), 1);
        ScoringService service = serve(pool, LIMITS, null)) {
      int port = service.port();
      String[][] bodies = {
        {"", "JSON"},
        {"{", "not valid JSON"},
        {"[".repeat(1_500), "not valid JSON"},
        {GOOD + GOOD, "not valid JSON"},
        {GOOD.replace("web", "moon"), "no scenario 'moon'"},
        {GOOD.replace("}", ", \"context\": {\"x\": 1}}"), "no field 'x'"},
        {GOOD.replace("\"items\"", "\"path\""), "path: unknown field"},
        {"{\"user\":1,\"scenario\":\"web\",\"items\":[" + "1,".repeat(50) + "1]}", "at most 50"},
      };
      for (String[] body : bodies) {
        HttpResponse<String> refused = post(port, "/v1/score", body[0]);
        assertThat(refused.statusCode()).as(body[0]).isEqualTo(400);
        assertThat(json(refused).get("error").stringValue())
            .contains(body[1])
            .doesNotContain(folder.toString());
      }
      byte[] noText = {'{', '"', (byte) 0xff, '"', '}'};
      assertThat(send(post(port, "/v1/score", null, noText)).statusCode()).isEqualTo(400);
      String type = "Content-Type: application/json";
      assertThat(raw(port, head("POST /v1/score", type, "Content-Length: 9999999999")))
          .contains(" 413 ");
      assertThat(
              raw(
                  port,
                  head("POST /v1/score", type, "Transfer-Encoding: chunked")
                      + "7d1\r\n"
                      + "x".repeat(2_001)
                      + "\r\n7d1\r\n"))
          .contains(" 413 ");
      assertThat(raw(port, head("POST /v1/score", "Content-Length: 2") + "{}")).contains(" 415 ");
      assertThat(raw(port, head("GET /v1/score"))).contains(" 405 ");
      assertThat(raw(port, head("HEAD /v1/models"))).contains(" 405 ");
      for (String path :
          List.of(
              "/index.html",
              "//v1/models",
              "/v1/models/",
              "/v1/../v1/models",
              "/v1%2fmodels",
              "/%2e%2e/etc/passwd",
              "/v1/models;x",
              "/metrics/../../etc/passwd")) {
        assertThat(raw(port, head("GET " + path))).as(path).contains(" 404 ");
      }
      assertThat(raw(port, "nonsense\r\n\r\n")).contains(" 400 ");
      assertThat(post(port, "/v1/score", GOOD).statusCode()).isEqualTo(200);
      assertThat(log.toString()).isEmpty();
    }
  }

  /** A page of another site whose name leads here must not read what is served. */
  @Test
  void namesOfOthersNeedAToken() throws Exception {
    String[] hosts = {"localhost", "localhost:80", "127.0.0.1", "[::1]:80", "evil.example", "x"};
    try (ScorerPool pool = new ScorerPool(Snapshot.open(first), 1);
        ScoringService open = serve(pool, LIMITS, null);
        ScoringService guarded = serve(pool, LIMITS, TOKEN)) {
      for (String host : hosts) {
        String request = "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
        boolean local = host.contains("localhost") || host.contains("1");
        assertThat(raw(open.port(), request)).as(host).contains(local ? " 200 " : " 403 ");
        assertThat(raw(guarded.port(), request)).as(host).contains(" 200 ");
      }
    }
  }

  @Test
  void onlyProbesAnswerWithoutTheToken() throws Exception {
    try (ScorerPool pool = new ScorerPool(Snapshot.open(first), 1);
        ScoringService service = serve(pool, LIMITS, TOKEN)) {
      int port = service.port();
      for (String token : new String[] {null, "", TOKEN + "x", TOKEN.substring(1)}) {
        for (String path : List.of("/v1/models", "/v1/stats", "/metrics", "/nowhere")) {
          HttpResponse<String> refused = get(port, path, token);
          assertThat(refused.statusCode()).isEqualTo(401);
          assertThat(refused.body()).doesNotContain(TOKEN);
        }
        byte[] body = GOOD.getBytes(StandardCharsets.UTF_8);
        for (String path : List.of("/v1/score", "/v1/rank", "/v1/reload")) {
          assertThat(send(post(port, path, token, body)).statusCode()).isEqualTo(401);
        }
      }
      for (String path : List.of("/health", "/ready", "/openapi.json", "/")) {
        assertThat(get(port, path, null).statusCode()).isEqualTo(200);
        assertThat(send(post(port, path, null, new byte[0])).statusCode()).isEqualTo(405);
      }
      assertThat(get(port, "/v1/models", TOKEN).statusCode()).isEqualTo(200);
      assertThat(get(port, "/nowhere", TOKEN).statusCode()).isEqualTo(404);
    }
  }

  /** Sends a request and returns when it is in work. */
  private CompletableFuture<HttpResponse<String>> inWork(int port) throws Exception {
    HttpRequest request = post(port, "/v1/score", null, GOOD.getBytes(StandardCharsets.UTF_8));
    CompletableFuture<HttpResponse<String>> sent =
        client.sendAsync(request, BodyHandlers.ofString());
    while (!get(port, "/metrics", null).body().contains("llm4msr_requests_in_flight 1.0\n")) {
      // Turned away if it came to wait for a processor beside the question for metrics.
      if (sent.isDone()) {
        assertThat(sent.get().statusCode()).isEqualTo(503);
        sent = client.sendAsync(request, BodyHandlers.ofString());
      }
      Thread.sleep(5);
    }
    return sent;
  }

  @Test
  void tooManyRequestsAreTurnedAwayAtOnce() throws Exception {
    Limits limits = new Limits(2_000, 50, 1, 60_000, 100, 10);
    try (ScorerPool pool = new ScorerPool(Snapshot.open(first), 1);
        ScoringService service = serve(pool, limits, null)) {
      int port = service.port();
      CompletableFuture<HttpResponse<String>> waiting;
      ScorerPool.Lease lease = pool.borrow(0);
      try (lease) {
        waiting = inWork(port);
        HttpResponse<String> refused = post(port, "/v1/score", GOOD);
        assertThat(refused.statusCode()).isEqualTo(503);
        assertThat(refused.headers().firstValue("Retry-After")).contains("1");
      }
      assertThat(waiting.get().statusCode()).isEqualTo(200);
      assertThat(post(port, "/v1/score", GOOD).statusCode()).isEqualTo(200);
    }
  }

  @Test
  void stoppingFinishesWhatIsInWork() throws Exception {
    try (ScorerPool pool = new ScorerPool(Snapshot.open(first), 1);
        ScoringService service = serve(pool, LIMITS, null)) {
      int port = service.port();
      CompletableFuture<HttpResponse<String>> waiting;
      CompletableFuture<Boolean> stopped;
      ScorerPool.Lease lease = pool.borrow(0);
      try (lease) {
        waiting = inWork(port);
        stopped =
            CompletableFuture.supplyAsync(() -> {
              try {
                return service.stop(60_000);
              } catch (InterruptedException e) {
                throw new CompletionException(e);
              }
            });
        while (get(port, "/ready", null).statusCode() != 503) {
          Thread.sleep(5);
        }
        HttpResponse<String> refused = post(port, "/v1/score", GOOD);
        assertThat(refused.statusCode()).isEqualTo(503);
        assertThat(refused.body()).contains("stopping");
        assertThat(refused.headers().firstValue("Connection")).contains("close");
        assertThat(stopped).isNotDone();
      }
      assertThat(waiting.get().statusCode()).isEqualTo(200);
      assertThat(stopped.get()).isTrue();
    }
  }

  private static void put(Path source, Path served) throws IOException {
    Path copy = Files.copy(source, folder.resolve("copy"), StandardCopyOption.REPLACE_EXISTING);
    Files.move(copy, served, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  private static JsonNode probabilities(HttpResponse<String> response) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return json(response).get("probabilities");
  }

  @Test
  void snapshotsAreReplacedUnderLoad() throws Exception {
    Path served = folder.resolve("served.snapshot");
    put(first, served);
    try (ScorerPool pool = new ScorerPool(Snapshot.open(served), 2);
        ScoringService service = serve(pool, LIMITS, null);
        ExecutorService threads = Executors.newFixedThreadPool(4)) {
      int port = service.port();
      JsonNode ofFirst = probabilities(post(port, "/v1/score", GOOD));
      put(second, served);
      assertThat(post(port, "/v1/reload", "").statusCode()).isEqualTo(200);
      JsonNode ofSecond = probabilities(post(port, "/v1/score", GOOD));
      assertThat(ofSecond).isNotEqualTo(ofFirst);
      AtomicBoolean end = new AtomicBoolean();
      List<Future<Integer>> clients = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        clients.add(
            threads.submit(() -> {
              int requests = 0;
              for (; !end.get() || requests < 20; requests++) {
                HttpResponse<String> scored = post(port, "/v1/score", GOOD);
                JsonNode expected =
                    json(scored).get("generation").intValue() % 2 == 1 ? ofFirst : ofSecond;
                assertThat(probabilities(scored)).isEqualTo(expected);
              }
              return requests;
            }));
      }
      try {
        for (int i = 0; i < 20; i++) {
          put(i % 2 == 0 ? first : second, served);
          assertThat(post(port, "/v1/reload", "").statusCode()).isEqualTo(200);
        }
      } finally {
        end.set(true);
      }
      for (Future<Integer> future : clients) {
        assertThat(future.get()).isPositive();
      }
      Files.writeString(folder.resolve("broken"), "no snapshot");
      put(folder.resolve("broken"), served);
      HttpResponse<String> refused = post(port, "/v1/reload", "");
      assertThat(refused.statusCode()).isEqualTo(409);
      assertThat(refused.body()).doesNotContain(folder.toString());
      assertThat(log.toString()).contains("not reloaded: " + served);
      assertThat(probabilities(post(port, "/v1/score", GOOD))).isEqualTo(ofSecond);
    }
  }

  /** In a process of its own, which SIGTERM ends. */
  @Test
  void slowClientsAreCutOffAndSigtermStops() throws Exception {
    List<String> command =
        List.of("serve", "--snapshot=" + first, "--port=0", "--client-timeout=4");
    Process process = CommandLineRun.process(command).start();
    try (BufferedReader output =
        new BufferedReader(new InputStreamReader(process.getInputStream()))) {
      String line = output.readLine();
      assertThat(line).contains("serving", "http://127.0.0.1:");
      int port = Integer.parseInt(line.substring(line.lastIndexOf(':') + 1));
      try (Socket slow = new Socket(InetAddress.getLoopbackAddress(), port)) {
        slow.setSoTimeout(20_000);
        OutputStream out = slow.getOutputStream();
        String type = "Content-Type: application/json";
        out.write(head("POST /v1/score", type, "Content-Length: 9").getBytes("US-ASCII"));
        out.write('{');
        assertThat(post(port, "/v1/score", GOOD).statusCode()).isEqualTo(200);
        // Closed, with an answer or without.
        slow.getInputStream().readAllBytes();
      } catch (java.net.SocketException e) {
        assertThat(e).hasMessageContaining("reset");
      }
      assertThat(post(port, "/v1/score", GOOD).statusCode()).isEqualTo(200);
      // Unlike Process.destroy this leaves the output open.
      process.toHandle().destroy();
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).isEqualTo(143);
      assertThat(output.readLine()).isEqualTo("stopped");
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void impossibleSettingsAreRefused() throws IOException {
    Path token = folder.resolve("token");
    Files.writeString(token, "short\n");
    String[] snapshot = {"serve", "--snapshot=" + first};
    String[][] cases = {
      {"2", "--host=0.0.0.0", "needs --token-file"},
      {"1", "--token-file=" + token, "at least 16"},
      {"2", "--port=70000", "expected 0 to 65535"},
      {"2", "--max-items=0", "expected at least 1"},
    };
    for (String[] wrong : cases) {
      List<String> args = new ArrayList<>(List.of(snapshot));
      args.add(wrong[1]);
      CommandLineRun run = CommandLineRun.of(args.toArray(String[]::new));
      assertThat(run.exitCode()).isEqualTo(Integer.parseInt(wrong[0]));
      assertThat(run.err()).contains(wrong[2]);
    }
  }
}
