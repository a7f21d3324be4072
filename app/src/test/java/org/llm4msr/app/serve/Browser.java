package org.llm4msr.app.serve;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Headless Chromium with one page, driven by its DevTools protocol. */
public final class Browser implements AutoCloseable {
  private static final long SECONDS = 60;

  private final Process process;
  private final HttpClient client = HttpClient.newHttpClient();
  private final WebSocket socket;
  private final BlockingQueue<JsonNode> received = new LinkedBlockingQueue<>();
  private final StringBuilder complaints = new StringBuilder();
  private String session;
  private int commands;

  /** Where Chromium is, if it is installed. */
  public static Optional<Path> installed() {
    return Stream.of(System.getenv("PATH").split(":"))
        .flatMap(folder -> Stream.of("chromium", "chromium-browser").map(Path.of(folder)::resolve))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /**
   * Starts it.
   *
   * @param profile folder for its files
   */
  public Browser(Path chromium, Path profile) throws Exception {
    List<String> command =
        List.of(
            chromium.toString(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-port=0",
            "--user-data-dir=" + profile,
            "--window-size=1200,1000",
            "about:blank");
    process = new ProcessBuilder(command).redirectErrorStream(true).start();
    socket =
        client
            .newWebSocketBuilder()
            .buildAsync(URI.create(address()), new Listener())
            .get(SECONDS, TimeUnit.SECONDS);
    String target =
        call("Target.createTarget", Map.of("url", "about:blank")).get("targetId").stringValue();
    session =
        call("Target.attachToTarget", Map.of("targetId", target, "flatten", true))
            .get("sessionId")
            .stringValue();
    call("Runtime.enable", Map.of());
    call("Log.enable", Map.of());
    call("Page.enable", Map.of());
  }

  private String address() throws IOException {
    BufferedReader output = new BufferedReader(new InputStreamReader(process.getInputStream()));
    String marker = "DevTools listening on ";
    StringBuilder all = new StringBuilder();
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      if (line.startsWith(marker)) {
        // What it says later must not fill the pipe.
        Thread.ofVirtual().start(() -> output.lines().forEach(text -> {}));
        return line.substring(marker.length());
      }
      all.append(line).append('\n');
    }
    throw new IOException("Chromium did not start: " + all);
  }

  private final class Listener implements WebSocket.Listener {
    private final StringBuilder text = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
      text.append(part);
      if (last) {
        received.add(JsonMapper.shared().readTree(text.toString()));
        text.setLength(0);
      }
      socket.request(1);
      return null;
    }
  }

  private JsonNode call(String method, Map<String, ?> parameters) throws Exception {
    int id = ++commands;
    ObjectNode message = JsonMapper.shared().createObjectNode();
    message.put("id", id).put("method", method);
    message.set("params", JsonMapper.shared().valueToTree(parameters));
    if (session != null) {
      message.put("sessionId", session);
    }
    socket.sendText(message.toString(), true).get(SECONDS, TimeUnit.SECONDS);
    while (true) {
      JsonNode answer = received.poll(SECONDS, TimeUnit.SECONDS);
      if (answer == null) {
        throw new IOException(method + ": no answer");
      }
      if (answer.path("id").intValue(0) == id) {
        if (answer.has("error")) {
          throw new IOException(method + ": " + answer.get("error"));
        }
        return answer.get("result");
      }
      note(answer);
    }
  }

  /** Errors on the console and uncaught exceptions. */
  private void note(JsonNode event) {
    String method = event.path("method").asString("");
    if (method.equals("Runtime.exceptionThrown")
        || method.equals("Log.entryAdded")
            && event.at("/params/entry/level").asString("").equals("error")) {
      complaints.append(event.get("params")).append('\n');
    }
  }

  /** What the page has complained about up to now. */
  public String complaints() {
    return complaints.toString();
  }

  /** Opens a page. */
  public void open(String url) throws Exception {
    call("Page.navigate", Map.of("url", url));
  }

  /** The value of an expression in the page, a promise's when it is kept. */
  public JsonNode evaluate(String expression) throws Exception {
    JsonNode answer =
        call(
            "Runtime.evaluate",
            Map.of("expression", expression, "awaitPromise", true, "returnByValue", true));
    if (answer.has("exceptionDetails")) {
      throw new IOException(expression + ": " + answer.get("exceptionDetails"));
    }
    return answer.get("result").path("value");
  }

  /** Waits until an expression is true. */
  public void await(String expression) throws Exception {
    long endNanos = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
    while (!evaluate("Boolean(" + expression + ")").booleanValue()) {
      if (System.nanoTime() > endNanos) {
        throw new IOException("never true: " + expression);
      }
      Thread.sleep(50);
    }
  }

  /** The whole page as a PNG. */
  public byte[] screenshot() throws Exception {
    JsonNode answer =
        call("Page.captureScreenshot", Map.of("format", "png", "captureBeyondViewport", true));
    return Base64.getDecoder().decode(answer.get("data").stringValue());
  }

  /** Light or dark, wide or narrow. */
  public void show(int width, boolean dark) throws Exception {
    call(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", 1400, "deviceScaleFactor", 1, "mobile", false));
    call(
        "Emulation.setEmulatedMedia",
        Map.of(
            "features",
            List.of(Map.of("name", "prefers-color-scheme", "value", dark ? "dark" : "light"))));
  }

  @Override
  public void close() {
    socket.abort();
    client.shutdownNow();
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly().onExit().join();
  }
}
