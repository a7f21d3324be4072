package org.llm4msr.bench.serving;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.net.SocketFactory;
import javax.net.ssl.SSLSocketFactory;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.Recorder;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.scoring.ScoringWorkload;

/**
 * Requests to a service at a fixed rate, whatever it answers and however long it takes: a request's
 * latency counts from when it was due, so that one that had to wait behind a slow one is as late as
 * its user would find it (no coordinated omission).
 *
 * <pre>
 * ServiceLoad export FILE                               writes the snapshot to serve
 * ServiceLoad [tls:]PORT TOKEN json|binary ITEMS CONNECTIONS RATE:SECONDS…
 * </pre>
 *
 * TLS trusts what the system properties {@code javax.net.ssl.trustStore} and {@code
 * trustStorePassword} say.
 */
public final class ServiceLoad {
  private static final int REQUESTS = 512;
  private static final int ITEMS = 100_000;
  private static final String[] SCENARIOS = {"web", "search", "store"};
  private static final long REPORT_SECONDS = 30;
  private static final long LONGEST_NANOS = TimeUnit.MINUTES.toNanos(10);

  private static final String TLS = "tls:";

  private final SocketFactory sockets;
  private final int port;
  private final int connections;
  private final byte[][] requests;

  private ServiceLoad(String port, int connections, byte[][] requests) {
    boolean secure = port.startsWith(TLS);
    sockets = secure ? SSLSocketFactory.getDefault() : SocketFactory.getDefault();
    this.port = Integer.parseInt(secure ? port.substring(TLS.length()) : port);
    this.connections = connections;
    this.requests = requests;
  }

  public static void main(String[] args) throws InterruptedException {
    if (args.length == 2 && args[0].equals("export")) {
      try (ScoringWorkload workload = new ScoringWorkload(896)) {
        workload.export(Path.of(args[1]));
      }
      return;
    }
    if (args.length < 6) {
      System.err.println(
          "usage: export FILE | [tls:]PORT TOKEN json|binary ITEMS CONNECTIONS RATE:SECONDS…");
      System.exit(2);
    }
    int items = Integer.parseInt(args[3]);
    int connections = Integer.parseInt(args[4]);
    byte[][] requests =
        IntStream.range(0, REQUESTS)
            .mapToObj(r -> request(r, items, args[1], args[2].equals("binary")))
            .toArray(byte[][]::new);
    System.out.println(Machine.describe("HTTP"));
    System.out.printf(
        "%s, %d items, %d bytes, %d connections%n",
        args[2], items, requests[0].length, connections);
    ServiceLoad load = new ServiceLoad(args[0], connections, requests);
    for (String phase : Arrays.asList(args).subList(5, args.length)) {
      String[] parts = phase.split(":");
      load.new Phase(Integer.parseInt(parts[0]), Long.parseLong(parts[1])).run();
    }
    System.out.println(Machine.describe("HTTP"));
  }

  private static byte[] request(int number, int items, String token, boolean binary) {
    String user = "u" + ScoringWorkload.user(number);
    String scenario = SCENARIOS[number % SCENARIOS.length];
    String[] keys = new String[items];
    for (int i = 0; i < items; i++) {
      keys[i] = "i" + Math.floorMod(number * 7_919L + i * 104_729L, ITEMS);
    }
    return binary
        ? KeepAliveClient.request(
            "/v1/score", token, "application/vnd.llm4msr", binary(scenario, user, keys))
        : KeepAliveClient.request(
            "/v1/score", token, "application/json", json(scenario, user, keys));
  }

  private static byte[] json(String scenario, String user, String[] items) {
    String list = Arrays.stream(items).collect(Collectors.joining("\",\"", "[\"", "\"]"));
    return "{\"user\":\"%s\",\"scenario\":\"%s\",\"items\":%s}"
        .formatted(user, scenario, list)
        .getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] binary(String scenario, String user, String[] items) {
    int length = 20 + 2 + scenario.length() + 2 + user.length();
    for (String item : items) {
      length += 2 + item.length();
    }
    ByteBuffer out = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    out.put("LMSR".getBytes(StandardCharsets.US_ASCII));
    out.putShort((short) 1).putShort((short) 1).putInt(0).putInt(0).putInt(items.length);
    put(out, scenario);
    put(out, user);
    for (String item : items) {
      put(out, item);
    }
    return out.array();
  }

  private static void put(ByteBuffer out, String text) {
    out.putShort((short) text.length()).put(text.getBytes(StandardCharsets.US_ASCII));
  }

  /** A time with one rate. */
  private final class Phase {
    private final long total;
    private final double intervalNanos;
    private final long seconds;
    private final long startNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(100);
    private final AtomicLong next = new AtomicLong();
    private final Recorder sinceDue = new Recorder(LONGEST_NANOS, 3);
    private final Recorder sinceSent = new Recorder(LONGEST_NANOS, 3);
    private final Map<String, LongAdder> outcomes = new ConcurrentSkipListMap<>();
    private final Histogram due = new Histogram(LONGEST_NANOS, 3);
    private final Histogram sent = new Histogram(LONGEST_NANOS, 3);

    Phase(int rate, long seconds) {
      this.seconds = seconds;
      total = rate * seconds;
      intervalNanos = 1e9 / rate;
      System.out.printf("%d requests/s for %d s%n", rate, seconds);
    }

    void run() throws InterruptedException {
      double ownSeconds = Machine.ownCpuSeconds();
      double allSeconds = Machine.totalCpuSeconds();
      Thread[] threads = new Thread[connections];
      for (int t = 0; t < threads.length; t++) {
        // However many they are, they take no more of the processors than the service's do.
        threads[t] = Thread.ofVirtual().start(this::work);
      }
      long endNanos = startNanos + TimeUnit.SECONDS.toNanos(seconds);
      long reportNanos = startNanos + TimeUnit.SECONDS.toNanos(REPORT_SECONDS);
      for (Thread thread : threads) {
        while (!thread.join(Duration.ofMillis(200))) {
          if (System.nanoTime() >= reportNanos && reportNanos < endNanos) {
            report("  %4d s  ".formatted((reportNanos - startNanos) / 1_000_000_000));
            reportNanos += TimeUnit.SECONDS.toNanos(REPORT_SECONDS);
          }
        }
      }
      double elapsed = (System.nanoTime() - startNanos) / 1e9;
      collect();
      long done = outcomes.values().stream().mapToLong(LongAdder::sum).sum();
      System.out.printf(
          Locale.ROOT,
          "  answered %.1f/s: %s; never sent %d%n",
          done / elapsed,
          outcomes,
          total - done);
      System.out.printf(
          Locale.ROOT,
          "  processors busy: %.2f, %.2f of them with this load's making%n",
          (Machine.totalCpuSeconds() - allSeconds) / elapsed,
          (Machine.ownCpuSeconds() - ownSeconds) / elapsed);
      print("  since due   ", due);
      print("  since sent  ", sent);
    }

    private Histogram collect() {
      Histogram recent = sinceDue.getIntervalHistogram();
      due.add(recent);
      sent.add(sinceSent.getIntervalHistogram());
      return recent;
    }

    private void report(String label) {
      print(label + outcomes + " ", collect());
    }

    private void print(String label, Histogram histogram) {
      System.out.printf(
          Locale.ROOT,
          "%sp50 %.0f, p90 %.0f, p99 %.0f, p99.9 %.0f, max %.0f µs%n",
          label,
          histogram.getValueAtPercentile(50) / 1e3,
          histogram.getValueAtPercentile(90) / 1e3,
          histogram.getValueAtPercentile(99) / 1e3,
          histogram.getValueAtPercentile(99.9) / 1e3,
          histogram.getMaxValue() / 1e3);
    }

    private void work() {
      long endNanos = startNanos + TimeUnit.SECONDS.toNanos(seconds);
      try (KeepAliveClient client = new KeepAliveClient(sockets, port)) {
        while (true) {
          long number = next.getAndIncrement();
          if (number >= total) {
            return;
          }
          long dueNanos = startNanos + (long) (number * intervalNanos);
          waitUntil(dueNanos);
          long sentNanos = System.nanoTime();
          // Beyond capacity the generator lags behind; a phase ends in time nevertheless.
          if (sentNanos >= endNanos) {
            return;
          }
          String outcome;
          try {
            outcome = Integer.toString(client.send(requests[(int) (number % REQUESTS)]));
          } catch (IOException e) {
            outcome = e.getClass().getSimpleName() + ": " + e.getMessage();
            client.disconnect();
          }
          long nowNanos = System.nanoTime();
          outcomes.computeIfAbsent(outcome, name -> new LongAdder()).increment();
          sinceDue.recordValue(Math.min(LONGEST_NANOS, nowNanos - dueNanos));
          sinceSent.recordValue(Math.min(LONGEST_NANOS, nowNanos - sentNanos));
        }
      }
    }

    private static void waitUntil(long nanos) {
      for (long left = nanos - System.nanoTime(); left > 0; left = nanos - System.nanoTime()) {
        LockSupport.parkNanos(left);
      }
    }
  }
}
