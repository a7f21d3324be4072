package org.llm4msr.app.serve;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import org.llm4msr.runtime.UserError;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** Scores over HTTP: the JDK's server, a virtual thread for each request; TLS ends before it. */
public final class ScoringService implements AutoCloseable {
  private static final String TEXT = "text/plain; version=0.0.4; charset=utf-8";
  private static final int BACKLOG = 1024;
  private static final Pattern LOCAL =
      Pattern.compile("(localhost|[0-9.]+|\\[[0-9a-f:.]+])(:[0-9]+)?", Pattern.CASE_INSENSITIVE);

  private final ScorerPool pool;
  private final Limits limits;
  private final byte[] token;
  private final PrintWriter log;
  private final HttpServer server;
  private final TlsFront front;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final Semaphore admitted;
  private final Semaphore reloading = new Semaphore(1);
  private final ScoringMetrics metrics;
  private volatile boolean warm;
  private volatile boolean stopping;

  /**
   * What a request may take.
   *
   * @param bodyBytes longer bodies are refused
   * @param concurrent requests in work, and waiting for a processor; more are turned away at once
   * @param waitMillis for a processor, and for a free scorer, at most
   * @param connections open at a time
   * @param clientSeconds for a client to send its request, and to take the reply
   */
  public record Limits(
      int bodyBytes,
      int items,
      int concurrent,
      long waitMillis,
      int connections,
      int clientSeconds) {}

  /**
   * Binds the address; {@link #start} begins to answer.
   *
   * @param tls null for plain HTTP
   * @param pool closed by the caller, after this
   * @param token that requests must bear, or null for none
   * @param log lines about reloads and failures
   * @throws UserError if the address cannot be bound
   */
  public ScoringService(
      InetSocketAddress address,
      SSLContext tls,
      ScorerPool pool,
      Limits limits,
      String token,
      PrintWriter log) {
    this.pool = pool;
    this.limits = limits;
    this.token = token == null ? null : digest(token);
    this.log = log;
    admitted = new Semaphore(limits.concurrent());
    metrics = new ScoringMetrics(pool, this::inFlight);
    // The JDK's server has these for the whole virtual machine only, read at its first start.
    System.setProperty("sun.net.httpserver.nodelay", "true");
    System.setProperty("sun.net.httpserver.maxReqTime", Integer.toString(limits.clientSeconds()));
    System.setProperty("sun.net.httpserver.maxRspTime", Integer.toString(limits.clientSeconds()));
    // A front counts its own; those that it has just closed do not keep others out here.
    String connections =
        Long.toString(Math.min(Integer.MAX_VALUE, limits.connections() * (tls == null ? 1L : 2L)));
    System.setProperty("jdk.httpserver.maxConnections", connections);
    System.setProperty("sun.net.httpserver.maxIdleConnections", connections);
    try {
      server = HttpServer.create(tls == null ? address : anyOnLoopback(), BACKLOG);
    } catch (IOException e) {
      threads.close();
      throw cannotListen(address, e);
    }
    try {
      front = tls == null ? null : front(address, tls);
    } catch (IOException e) {
      server.stop(0);
      threads.close();
      throw cannotListen(address, e);
    }
    server.setExecutor(new Arrivals(threads, limits.concurrent(), limits.waitMillis()));
    server.createContext("/", this::handle);
  }

  private static InetSocketAddress anyOnLoopback() {
    return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
  }

  private static UserError cannotListen(InetSocketAddress address, IOException e) {
    return new UserError("cannot listen on " + address + ": " + e.getMessage(), e);
  }

  private TlsFront front(InetSocketAddress address, SSLContext tls) throws IOException {
    return new TlsFront(
        address,
        BACKLOG,
        tls,
        server.getAddress(),
        limits.connections(),
        limits.clientSeconds(),
        line -> {
          log.println(line);
          log.flush();
        });
  }

  /** Begins to answer, and returns when it is ready. */
  public void start() throws InterruptedException {
    server.start();
    if (front != null) {
      front.start();
    }
    WarmUp.run(pool);
    warm = true;
  }

  /** The port, also where any was asked for. */
  public int port() {
    return (front == null ? server.getAddress() : front.address()).getPort();
  }

  private static byte[] digest(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private void handle(HttpExchange exchange) {
    Route route = Route.of(exchange.getRequestURI().getRawPath());
    Reply reply;
    try {
      reply = answer(exchange, route);
    } catch (RefusedException e) {
      reply = Reply.error(e.status, e.getMessage());
    } catch (UserError e) {
      reply = Reply.error(400, e.getMessage());
    } catch (InterruptedException e) {
      reply = Reply.error(503, "the service is stopping");
    } catch (IOException e) {
      reply = Reply.error(408, "the body did not arrive");
    } catch (RuntimeException | Error e) {
      log.println("failure: " + e);
      log.flush();
      reply = Reply.error(500, "internal error");
    }
    metrics.replied(route == null ? "other" : route.path, reply.status());
    try {
      send(exchange, route, reply);
    } catch (IOException e) {
      // The client is gone or too slow; there is nobody to tell.
      exchange.close();
    }
  }

  private void send(HttpExchange exchange, Route route, Reply reply) throws IOException {
    Headers headers = exchange.getResponseHeaders();
    headers.set("Content-Type", reply.type());
    headers.set("Cache-Control", "no-store");
    headers.set("X-Content-Type-Options", "nosniff");
    headers.set("Content-Security-Policy", StaticPages.SECURITY_POLICY);
    headers.set("Referrer-Policy", "no-referrer");
    switch (reply.status()) {
      case 401 -> headers.set("WWW-Authenticate", "Bearer");
      case 405 -> headers.set("Allow", route.method);
      // What is left of the body is not waited for.
      case 408, 413 -> headers.set("Connection", "close");
      case 503 -> headers.set("Retry-After", "1");
      default -> {}
    }
    if (stopping) {
      headers.set("Connection", "close");
    }
    boolean head = exchange.getRequestMethod().equals("HEAD");
    int length = reply.body().length;
    exchange.sendResponseHeaders(reply.status(), head || length == 0 ? -1 : length);
    if (!head) {
      try (OutputStream out = exchange.getResponseBody()) {
        out.write(reply.body());
      }
    }
  }

  private Reply answer(HttpExchange exchange, Route route)
      throws IOException, RefusedException, InterruptedException {
    if (token == null && !isLocal(exchange.getRequestHeaders().getFirst("Host"))) {
      throw new RefusedException(
          403, "expected the header Host to be localhost or an address; others need a token");
    }
    if ((route == null || !route.open) && !isAuthorised(exchange)) {
      throw new RefusedException(401, "expected the header Authorization: Bearer TOKEN");
    }
    if (route == null) {
      throw new RefusedException(404, "no such path; see docs/serving.md");
    }
    if (!exchange.getRequestMethod().equals(route.method)) {
      throw new RefusedException(405, "expected " + route.method);
    }
    return switch (route) {
      case HEALTH -> status(200, "up");
      case READY ->
          stopping
              ? status(503, "stopping")
              : warm ? status(200, "ready") : status(503, "warming up");
      case METRICS -> Reply.text(200, TEXT, metrics.print());
      case MODELS -> Reply.json(200, models());
      case STATS -> Reply.json(200, stats());
      case DESCRIPTION -> new Reply(200, MessageForm.JSON.type(), StaticPages.OPENAPI);
      case PAGE -> new Reply(200, "text/html; charset=utf-8", StaticPages.PAGE);
      case RELOAD -> reload(exchange);
      case SCORE, RANK -> score(exchange, route == Route.RANK);
    };
  }

  private int inFlight() {
    return limits.concurrent() - admitted.availablePermits();
  }

  private static Reply status(int code, String status) {
    return Reply.json(code, JsonNodeFactory.instance.objectNode().put("status", status));
  }

  /**
   * Whether a host is named by its address or is localhost. A page elsewhere could have its own
   * name lead here and then read what it likes (DNS rebinding); the name tells.
   */
  private static boolean isLocal(String host) {
    return host == null || LOCAL.matcher(host).matches();
  }

  private boolean isAuthorised(HttpExchange exchange) {
    if (token == null) {
      return true;
    }
    String header = exchange.getRequestHeaders().getFirst("Authorization");
    return header != null
        && header.startsWith("Bearer ")
        && MessageDigest.isEqual(digest(header.substring(7)), token);
  }

  private Reply score(HttpExchange exchange, boolean ranked)
      throws IOException, RefusedException, InterruptedException {
    MessageForm form = form(exchange, MessageForm.JSON, MessageForm.BINARY);
    // Before it has its body a request takes no place: slow clients keep nobody out.
    byte[] body = body(exchange);
    long startNanos = System.nanoTime();
    if (stopping || Arrivals.tooMany() || !admitted.tryAcquire()) {
      throw new RefusedException(503, stopping ? "the service is stopping" : "overloaded");
    }
    try {
      ScoringRequest request = form.read(body, "request", limits.items());
      ScorerPool.Lease lease = pool.borrow(limits.waitMillis());
      if (lease == null) {
        throw new RefusedException(503, "overloaded");
      }
      RequestScorer.Scores scores;
      int generation;
      try (lease) {
        scores = lease.scorer().score(request, "request");
        generation = lease.generation();
      }
      byte[] answer =
          ranked ? form.ranked(scores, request, generation) : form.scored(scores, generation);
      metrics.scored(request.scenario(), System.nanoTime() - startNanos, scores);
      return new Reply(200, form.type(), answer);
    } finally {
      admitted.release();
    }
  }

  /** The form of a body; pages of other origins cannot send these types without being asked. */
  private static MessageForm form(HttpExchange exchange, MessageForm... expected)
      throws RefusedException {
    MessageForm form = MessageForm.of(exchange.getRequestHeaders().getFirst("Content-Type"));
    if (form == null || !List.of(expected).contains(form)) {
      throw new RefusedException(
          415,
          "expected Content-Type: "
              + Stream.of(expected).map(MessageForm::type).collect(Collectors.joining(" or ")));
    }
    return form;
  }

  private byte[] body(HttpExchange exchange) throws IOException, RefusedException {
    String length = exchange.getRequestHeaders().getFirst("Content-Length");
    String problem = "the body is longer than " + limits.bodyBytes() + " bytes";
    // The server has checked that it is a number.
    if (length != null && Long.parseLong(length.strip()) > limits.bodyBytes()) {
      throw new RefusedException(413, problem);
    }
    byte[] bytes = exchange.getRequestBody().readNBytes(limits.bodyBytes() + 1);
    if (bytes.length > limits.bodyBytes()) {
      throw new RefusedException(413, problem);
    }
    return bytes;
  }

  private ObjectNode models() {
    ScorerPool.Served served = pool.served();
    ObjectNode answer = JsonNodeFactory.instance.objectNode();
    ObjectNode model = answer.putArray("models").addObject();
    model.put("model", served.snapshot().model());
    model.put("generation", served.generation());
    model.put("loaded", served.loaded().toString());
    model.put("users", served.snapshot().users());
    model.put("items", served.snapshot().items());
    served.snapshot().scenarios().forEach(model.putArray("scenarios")::add);
    served.snapshot().contextFields().forEach(model.putArray("context")::add);
    model.put("needs_logits", served.snapshot().needsLogits());
    return answer;
  }

  private ObjectNode stats() {
    ScorerPool.Served served = pool.served();
    return metrics
        .toJson(served.snapshot().scenarios())
        .put("generation", served.generation())
        .put("in_flight", inFlight());
  }

  private Reply reload(HttpExchange exchange) throws IOException, RefusedException {
    form(exchange, MessageForm.JSON);
    body(exchange);
    if (!reloading.tryAcquire()) {
      throw new RefusedException(409, "a reload is under way");
    }
    try {
      pool.reload();
      log.println("reloaded: generation " + pool.served().generation());
      log.flush();
      return Reply.json(200, models());
    } catch (UserError e) {
      log.println("not reloaded: " + e.getMessage());
      log.flush();
      throw new RefusedException(
          409, "the file is refused, the snapshot before goes on; the service's log says why");
    } finally {
      reloading.release();
    }
  }

  /**
   * Ends: readiness goes, new requests are turned away, those in work are finished.
   *
   * @return whether all were finished in time
   */
  public boolean stop(long graceMillis) throws InterruptedException {
    stopping = true;
    long endNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(graceMillis);
    boolean finished = admitted.tryAcquire(limits.concurrent(), graceMillis, TimeUnit.MILLISECONDS);
    // Answers may still be on their way to clients.
    long leftNanos = Math.max(0, endNanos - System.nanoTime());
    close((int) TimeUnit.NANOSECONDS.toSeconds(leftNanos + TimeUnit.SECONDS.toNanos(1) - 1));
    return finished;
  }

  @Override
  public void close() {
    close(0);
  }

  private void close(int graceSeconds) {
    stopping = true;
    if (front != null) {
      front.stopListening();
    }
    server.stop(graceSeconds);
    if (front != null) {
      front.close();
    }
    threads.shutdownNow();
  }
}
