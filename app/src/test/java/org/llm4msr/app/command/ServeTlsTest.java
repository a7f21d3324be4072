package org.llm4msr.app.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.llm4msr.app.serve.SelfSigned;
import org.llm4msr.app.serve.SelfSigned.Kind;

class ServeTlsTest extends ServedShop {
  private static SelfSigned server;
  private static Path token;
  private static Path password;

  @BeforeAll
  static void makeCertificate() throws Exception {
    server = SelfSigned.make(folder.resolve("server"), Kind.EC);
    token = Files.writeString(folder.resolve("token"), TOKEN + "\n");
    password = Files.writeString(folder.resolve("password"), SelfSigned.PASSWORD + "\n");
  }

  private static SSLContext trust() throws Exception {
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(server.trust());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  private static HttpClient trusting() throws Exception {
    return HttpClient.newBuilder().sslContext(trust()).build();
  }

  private static SSLSocket connect(int port) throws Exception {
    return (SSLSocket)
        trust().getSocketFactory().createSocket(InetAddress.getLoopbackAddress(), port);
  }

  /** What is done with a service in a process of its own. */
  private interface Use {
    void of(int port, HttpClient trusting) throws Exception;
  }

  private static HttpRequest score(int port, String bearer) {
    return HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + port + "/v1/score"))
        .header("Authorization", "Bearer " + bearer)
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(GOOD))
        .build();
  }

  private static void serve(List<String> options, Use use) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                "serve",
                "--snapshot=" + first,
                "--port=0",
                "--client-timeout=4",
                "--token-file=" + token));
    command.addAll(options);
    Process process = CommandLineRun.process(command).start();
    try (BufferedReader output =
            new BufferedReader(new InputStreamReader(process.getInputStream()));
        HttpClient trusting = trusting()) {
      String line = output.readLine();
      assertThat(line).contains("serving", "https://127.0.0.1:");
      int port = Integer.parseInt(line.substring(line.lastIndexOf(':') + 1));
      use.of(port, trusting);
      assertThat(trusting.send(score(port, TOKEN), BodyHandlers.ofString()).statusCode())
          .isEqualTo(200);
      process.toHandle().destroy();
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(output.readLine()).isEqualTo("stopped");
    } finally {
      process.destroyForcibly();
    }
  }

  private void requestsAndAttacks(int port, HttpClient trusting) throws Exception {
    try (Socket silent = new Socket(InetAddress.getLoopbackAddress(), port)) {
      // The first byte of a handshake that does not go on.
      silent.getOutputStream().write(22);
      silent.setSoTimeout(20_000);
      HttpResponse<String> scored = trusting.send(score(port, TOKEN), BodyHandlers.ofString());
      assertThat(scored.statusCode()).as(scored.body()).isEqualTo(200);
      assertThat(json(scored).get("probabilities")).hasSize(3);
      assertThat(trusting.send(score(port, TOKEN + "x"), BodyHandlers.ofString()).statusCode())
          .isEqualTo(401);
      assertThatThrownBy(() -> client.send(score(port, TOKEN), BodyHandlers.ofString()))
          .isInstanceOf(SSLHandshakeException.class);
      assertThatThrownBy(() -> get(port, "/health", null)).isInstanceOf(IOException.class);
      try {
        // Closed, perhaps with an alert before.
        silent.getInputStream().readAllBytes();
      } catch (java.net.SocketException e) {
        assertThat(e).hasMessageContaining("reset");
      }
    }
  }

  /** Sends requests one after the other and takes no answer; ends when the connection does. */
  private static void takeNothing(SSLSocket socket) {
    String request = head("GET /openapi.json");
    byte[] requests = request.repeat(100).getBytes(StandardCharsets.US_ASCII);
    try {
      while (true) {
        socket.getOutputStream().write(requests);
      }
    } catch (IOException e) {
      // Closed by the service, as it should be.
    }
  }

  @Test
  void clientsThatTakeNoAnswersHoldNobodyUp() throws Exception {
    serve(
        pem(),
        (port, trusting) -> {
          List<Thread> greedy = new ArrayList<>();
          for (int i = 0; i < 4; i++) {
            SSLSocket socket = connect(port);
            greedy.add(Thread.ofVirtual().start(() -> takeNothing(socket)));
          }
          // Longer than the service waits for a client.
          long endNanos = System.nanoTime() + TimeUnit.SECONDS.toNanos(7);
          while (System.nanoTime() < endNanos) {
            HttpResponse<String> answer =
                trusting
                    .sendAsync(score(port, TOKEN), BodyHandlers.ofString())
                    .get(20, TimeUnit.SECONDS);
            assertThat(answer.statusCode()).isIn(200, 503);
            Thread.sleep(100);
          }
          for (Thread thread : greedy) {
            assertThat(thread.join(Duration.ofSeconds(30))).isTrue();
          }
        });
  }

  @Test
  void nobodyShakesHandsTwice() throws Exception {
    serve(
        pem(),
        (port, trusting) -> {
          try (SSLSocket socket = connect(port)) {
            socket.setEnabledProtocols(new String[] {"TLSv1.2"});
            socket.startHandshake();
            assertThatThrownBy(
                    () -> {
                      socket.startHandshake();
                      assertThat(socket.getInputStream().read()).isNotNegative();
                    })
                .isInstanceOf(SSLException.class);
          }
        });
  }

  private static List<String> pem() {
    return List.of("--tls-certificate=" + server.certificate(), "--tls-key=" + server.key());
  }

  @Test
  void servesWithPemFiles() throws Exception {
    serve(pem(), this::requestsAndAttacks);
  }

  @Test
  void servesWithPkcs12() throws Exception {
    serve(
        List.of("--tls-store=" + server.store(), "--tls-password-file=" + password),
        this::requestsAndAttacks);
  }

  @Test
  void impossibleOptionsAreRefused() {
    String certificate = "--tls-certificate=" + server.certificate();
    String key = "--tls-key=" + server.key();
    String store = "--tls-store=" + server.store();
    String secret = "--tls-password-file=";
    Object[][] cases = {
      {2, List.of(certificate), "go together"},
      {2, List.of(key), "go together"},
      {2, List.of(store), "go together"},
      {2, List.of(secret + password), "go together"},
      {2, List.of(certificate, key, store, secret + password), "takes the place"},
      {1, List.of(store, secret + token), server.store() + ": the password is wrong"},
      {1, List.of(certificate, "--tls-key=" + server.certificate()), "holds 0 keys"},
    };
    for (Object[] wrong : cases) {
      List<String> args = new ArrayList<>(List.of("serve", "--snapshot=" + first));
      ((List<?>) wrong[1]).forEach(option -> args.add(option.toString()));
      CommandLineRun run = CommandLineRun.of(args.toArray(String[]::new));
      assertThat(run.exitCode()).as(args + run.err()).isEqualTo(wrong[0]);
      assertThat(run.err()).contains(wrong[2].toString());
    }
  }
}
