package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.llm4msr.app.run.TinyShop;
import org.llm4msr.app.serve.ApiDescription;
import org.llm4msr.app.serve.ScorerPool;
import org.llm4msr.app.serve.ScoringService;
import org.llm4msr.app.serve.ScoringService.Limits;
import org.llm4msr.runtime.memory.AllocationTracker;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Two snapshots of a small shop, and what it takes to serve and ask them. */
abstract class ServedShop {
  static final String TOKEN = "a-token-of-some-length";
  static final String GOOD =
      """
      {"user": "u1", "scenario": "web", "items": ["i,0", "i,1", "i,2"]}\
      """;
  static final Limits LIMITS = new Limits(2_000, 50, 8, 60_000, 100, 10);

  @TempDir static Path folder;
  static Path first;
  static Path second;
  final HttpClient client = HttpClient.newHttpClient();
  final StringWriter log = new StringWriter();

  @BeforeAll
  static void train() throws IOException {
    TinyShop shop = TinyShop.write(folder, 600);
    first = snapshot(shop, "1");
    second = snapshot(shop, "2");
  }

  private static Path snapshot(TinyShop shop, String seed) {
    Path run = folder.resolve("run" + seed);
    Path file = folder.resolve(seed + ".snapshot");
    CommandLineRun.train(shop, run, "--epochs=1", "--hidden=8", "--seed=" + seed);
    CommandLineRun exported = CommandLineRun.of("export", "--run=" + run, "--out=" + file);
    assertThat(exported.exitCode()).as(exported.err()).isZero();
    return file;
  }

  @AfterEach
  void nothingStaysOpen() throws IOException {
    client.close();
    assertThat(AllocationTracker.open()).isEmpty();
    Path maps = Path.of("/proc/self/maps");
    if (Files.exists(maps)) {
      assertThat(Files.readString(maps)).doesNotContain(".snapshot");
    }
  }

  ScoringService serve(ScorerPool pool, Limits limits, String token) throws InterruptedException {
    InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
    ScoringService service =
        new ScoringService(any, null, pool, limits, token, new PrintWriter(log, true));
    service.start();
    return service;
  }

  static HttpRequest.Builder request(int port, String path, String token) {
    HttpRequest.Builder builder =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path));
    return token == null ? builder : builder.header("Authorization", "Bearer " + token);
  }

  HttpResponse<String> get(int port, String path, String token) throws Exception {
    return send(request(port, path, token).build());
  }

  /** Sends a request; whatever comes back must be as the service's description says. */
  HttpResponse<String> send(HttpRequest request) throws Exception {
    HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
    ApiDescription.check(
        request.method(),
        request.uri().getPath(),
        response.statusCode(),
        response.headers().firstValue("Content-Type").orElseThrow(),
        response.body());
    return response;
  }

  static HttpRequest post(int port, String path, String token, byte[] body) {
    return request(port, path, token)
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofByteArray(body))
        .build();
  }

  HttpResponse<String> post(int port, String path, String body) throws Exception {
    return send(post(port, path, null, body.getBytes(StandardCharsets.UTF_8)));
  }

  /** The first line of the answer to whatever bytes. */
  static String raw(int port, String text) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(20_000);
      socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
      String line = new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine();
      String[] words = text.split("\\s", 3);
      int status = Integer.parseInt(line.split(" ")[1]);
      ApiDescription.check(words[0], words[1], status, null, null);
      return line;
    }
  }

  static String head(String line, String... headers) {
    return line + " HTTP/1.1\r\nHost: localhost\r\n" + String.join("\r\n", headers) + "\r\n\r\n";
  }

  static JsonNode json(HttpResponse<String> response) {
    return JsonMapper.shared().readTree(response.body());
  }
}
