package org.llm4msr.app.command;

import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import org.llm4msr.app.serve.ScorerPool;
import org.llm4msr.app.serve.ScoringService;
import org.llm4msr.model.scorer.Snapshot;
import org.llm4msr.runtime.UserError;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Scores over HTTP until it is stopped. */
@Command(
    name = "serve",
    description = {
      "Scores over HTTP until SIGTERM or Ctrl-C, then finishes the requests in work. Paths: POST"
          + " /v1/score, /v1/rank, /v1/reload; GET /v1/models, /v1/stats, /health, /ready, /metrics,"
          + " /openapi.json, and / for a page with live figures."
    },
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  llm4msr serve --snapshot star.snapshot",
      "  llm4msr serve --snapshot star.snapshot --knowledge today.safetensors",
      "  llm4msr serve --snapshot star.snapshot --host 0.0.0.0 --token-file token.txt \\",
      "    --tls-certificate server.pem --tls-key server.key",
      "  curl -H 'Content-Type: application/json' http://127.0.0.1:8080/v1/score \\",
      "    -d '{\"user\": \"u1\", \"scenario\": \"web\", \"items\": [\"i1\", \"i2\"]}'"
    })
public final class ServeCommand implements Callable<Integer> {
  private static final int LEAST_TOKEN_CHARS = 16;
  private static final int MOST_BODY_BYTES = 1 << 28;

  @Option(
      names = "--snapshot",
      required = true,
      paramLabel = "FILE",
      description = "Snapshot that 'llm4msr export' wrote; /v1/reload reads it anew.")
  private Path file;

  @Option(
      names = "--knowledge",
      paramLabel = "FILE",
      description = {
        "Knowledge file that 'llm4msr encode' wrote later: users in it, known to the snapshot or"
            + " not, have its vectors. /v1/reload reads it anew too."
      })
  private Path knowledge;

  @Option(
      names = "--host",
      defaultValue = "127.0.0.1",
      description = "Address to listen on (default: ${DEFAULT-VALUE}).")
  private String host;

  @Option(
      names = "--port",
      defaultValue = "8080",
      description = "Port to listen on; 0 for any that is free (default: ${DEFAULT-VALUE}).")
  private int port;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description =
          "File with the token that requests must bear; needed on any address but loopback.")
  private Path tokenFile;

  @Option(
      names = "--scorers",
      paramLabel = "N",
      description = "Requests scored at the same time; as many as there are processors by default.")
  private Integer scorers;

  @Option(
      names = "--max-requests",
      defaultValue = "256",
      description = "Requests in work; more are answered 503 at once (default: ${DEFAULT-VALUE}).")
  private int maxRequests;

  @Option(
      names = "--max-connections",
      defaultValue = "1000",
      description = "Connections open at a time (default: ${DEFAULT-VALUE}).")
  private int maxConnections;

  @Option(
      names = "--max-body",
      paramLabel = "BYTES",
      defaultValue = "1048576",
      description = "Longest body of a request (default: ${DEFAULT-VALUE}).")
  private int maxBody;

  @Option(
      names = "--max-items",
      defaultValue = "10000",
      description = "Most items of a request (default: ${DEFAULT-VALUE}).")
  private int maxItems;

  @Option(
      names = "--timeout",
      paramLabel = "MILLIS",
      defaultValue = "1000",
      description =
          "Longest wait for a processor and a scorer, then the answer is 503 (default:"
              + " ${DEFAULT-VALUE}).")
  private int timeoutMillis;

  @Option(
      names = "--client-timeout",
      paramLabel = "SECONDS",
      defaultValue = "10",
      description =
          "Time for a client to send a request, and to take the reply (default: ${DEFAULT-VALUE}).")
  private int clientSeconds;

  @Option(
      names = "--grace",
      paramLabel = "SECONDS",
      defaultValue = "10",
      description = "Time for requests in work when it is stopped (default: ${DEFAULT-VALUE}).")
  private int graceSeconds;

  @Mixin private TlsOptions tls;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws InterruptedException {
    check();
    InetAddress address = address();
    String token = token();
    SSLContext certified = tls.read(spec);
    if (token == null && !address.isLoopbackAddress()) {
      throw Checks.wrong(
          spec, "--host " + host + ": every address but loopback needs --token-file");
    }
    PrintWriter err = spec.commandLine().getErr();
    if (certified == null && !address.isLoopbackAddress()) {
      err.println("tokens and requests can be read on the way: no --tls-certificate is given");
      err.flush();
    }
    int pooled = scorers == null ? Runtime.getRuntime().availableProcessors() : scorers;
    CountDownLatch wanted = new CountDownLatch(1);
    CountDownLatch done = new CountDownLatch(1);
    Thread hook = new Thread(() -> stop(wanted, done), "llm4msr-stop");
    try (ScorerPool pool = new ScorerPool(Snapshot.open(file), knowledge, pooled);
        ScoringService service =
            new ScoringService(
                new InetSocketAddress(address, port), certified, pool, limits(), token, err)) {
      Runtime.getRuntime().addShutdownHook(hook);
      service.start();
      spec.commandLine()
          .getOut()
          .printf(
              "serving %s on %s://%s:%d%n",
              pool.served().snapshot().model(),
              certified == null ? "http" : "https",
              host.contains(":") ? "[" + host + "]" : host,
              service.port());
      wanted.await();
      boolean finished = service.stop(TimeUnit.SECONDS.toMillis(graceSeconds));
      err.println(
          finished ? "stopped" : "stopped; requests were still in work after the grace period");
      err.flush();
    } finally {
      done.countDown();
    }
    return 0;
  }

  private void stop(CountDownLatch wanted, CountDownLatch done) {
    wanted.countDown();
    try {
      done.await(graceSeconds + 5L, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void check() {
    if (port < 0 || port > 65_535) {
      throw Checks.wrong(spec, "--port: expected 0 to 65535, found " + port);
    }
    if (scorers != null) {
      Checks.positive(spec, "--scorers", scorers);
    }
    Checks.positive(spec, "--max-requests", maxRequests);
    Checks.positive(spec, "--max-connections", maxConnections);
    Checks.positive(spec, "--max-body", maxBody);
    if (maxBody > MOST_BODY_BYTES) {
      throw Checks.wrong(spec, "--max-body: expected at most " + MOST_BODY_BYTES);
    }
    Checks.positive(spec, "--max-items", maxItems);
    Checks.notNegative(spec, "--timeout", timeoutMillis);
    Checks.positive(spec, "--client-timeout", clientSeconds);
    Checks.notNegative(spec, "--grace", graceSeconds);
  }

  private ScoringService.Limits limits() {
    return new ScoringService.Limits(
        maxBody, maxItems, maxRequests, timeoutMillis, maxConnections, clientSeconds);
  }

  private InetAddress address() {
    try {
      return InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      throw new UserError("--host: no address is called '" + host + "'", e);
    }
  }

  private String token() {
    if (tokenFile == null) {
      return null;
    }
    String token = SecretFile.read(tokenFile, "token");
    if (token.length() < LEAST_TOKEN_CHARS || !token.chars().allMatch(c -> c > 32 && c < 127)) {
      throw new UserError(
          tokenFile
              + ": expected a token of at least "
              + LEAST_TOKEN_CHARS
              + " ASCII characters without spaces");
    }
    return token;
  }
}
