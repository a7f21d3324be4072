package org.llm4msr.bench.peers;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import ai.onnxruntime.OrtException;
import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.Rounds;
import org.llm4msr.bench.scoring.ScoringWorkload;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.scorer.Scorer;
import org.llm4msr.model.scorer.Snapshot;

/**
 * Requests to a scorer beside PyTorch and ONNX Runtime, in turn, on one thread; each request is
 * another user's. Arguments: items, width of the knowledge (0 = none), rounds, f32, bf16 or int8
 * for our snapshot.
 */
public final class ScoringComparison {
  private static final double TOLERANCE = 1e-5;
  private static final double ROUNDED_TOLERANCE = 1e-2;
  static final int REQUESTS = 256;
  static final int SCENARIO = 1;

  private ScoringComparison() {}

  public static void main(String[] args) throws IOException, OrtException {
    int items = Integer.parseInt(args[0]);
    int rounds = Integer.parseInt(args[2]);
    Precision precision = Precision.valueOf(args[3].toUpperCase(Locale.ROOT));
    Engine engine = Engine.getInstance();
    JniUtils.setNumThreads(1);
    Path file = Files.createTempFile("bench", ".snapshot");
    try (ScoringWorkload workload = new ScoringWorkload(Integer.parseInt(args[1]));
        NDManager manager = NDManager.newBaseManager();
        ScoringPeer torch = new TorchScorer(manager, workload, SCENARIO);
        ScoringPeer onnx = new OnnxScorer(workload, SCENARIO)) {
      workload.export(file, precision);
      System.out.println(Machine.describe("C kernels for " + Isa.selected()) + "; " + engine);
      System.out.printf(
          "%d items, knowledge %d, %s%n", items, workload.knowledgeWidth(), precision);
      int[][] requests = workload.requests(REQUESTS, items);
      List<ScoringPeer> peers = List.of(torch, onnx);
      for (int r = 0; r < REQUESTS; r++) {
        for (ScoringPeer peer : peers) {
          peer.prepare(ScoringWorkload.user(r), requests[r]);
        }
      }
      try (Snapshot snapshot = Snapshot.open(file);
          Scorer scorer = snapshot.scorer()) {
        run(scorer, peers, requests, rounds, precision);
      }
      System.out.println(Machine.describe("C kernels for " + Isa.selected()));
    } finally {
      Files.delete(file);
    }
  }

  /** Checks that all compute the same, then measures them in turn. */
  static void run(
      Scorer scorer, List<ScoringPeer> peers, int[][] requests, int rounds, Precision precision) {
    double tolerance = precision == Precision.F32 ? TOLERANCE : ROUNDED_TOLERANCE;
    peers.forEach(peer -> check(scorer, peer, requests, tolerance));
    compare(scorer, peers, requests, rounds);
  }

  private static void check(Scorer scorer, ScoringPeer peer, int[][] requests, double tolerance) {
    float[] ours = new float[requests[0].length];
    double worst = 0;
    for (int r = 0; r < REQUESTS; r++) {
      scorer.score(SCENARIO, ScoringWorkload.user(r), requests[r], ours);
      float[] theirs = peer.score(r);
      for (int i = 0; i < ours.length; i++) {
        worst = Math.max(worst, Math.abs(ours[i] - theirs[i]));
      }
    }
    System.out.printf(Locale.ROOT, "%s: largest difference %.2e%n", peer.name(), worst);
    if (!(worst <= tolerance)) {
      throw new IllegalStateException("the probabilities differ by more than " + tolerance);
    }
  }

  private static void compare(
      Scorer scorer, List<ScoringPeer> peers, int[][] requests, int rounds) {
    float[] ours = new float[requests[0].length];
    List<double[]> scored = new ArrayList<>();
    List<List<double[]>> theirs = new ArrayList<>();
    peers.forEach(peer -> theirs.add(new ArrayList<>()));
    double total = Machine.totalCpuSeconds();
    double own = Machine.ownCpuSeconds();
    long start = System.nanoTime();
    for (int round = -2; round < rounds; round++) {
      double[] a = time(r -> scorer.score(SCENARIO, ScoringWorkload.user(r), requests[r], ours));
      // The first rounds warm all up.
      if (round >= 0) {
        scored.add(a);
      }
      for (int p = 0; p < peers.size(); p++) {
        double[] b = time(peers.get(p)::run);
        if (round >= 0) {
          theirs.get(p).add(b);
        }
      }
    }
    double others =
        (Machine.totalCpuSeconds() - total - Machine.ownCpuSeconds() + own)
            / ((System.nanoTime() - start) / 1e9);
    boolean quiet = others <= Machine.QUIET_PROCESSORS;
    List<Rounds.Result> results = new ArrayList<>();
    results.add(result("llm4msr", scored, 1, quiet));
    print("llm4msr", scored);
    System.out.printf("  %d bytes allocated in a request%n", allocated(scorer, requests));
    for (int p = 0; p < peers.size(); p++) {
      print(peers.get(p).name(), theirs.get(p));
      System.out.printf(
          Locale.ROOT,
          "  to llm4msr, medians of rounds: p50 x %.2f, p99 x %.2f%n",
          ratio(theirs.get(p), scored, 0.5),
          ratio(theirs.get(p), scored, 0.99));
      double slower = ratio(theirs.get(p), scored, 0.5);
      results.add(result(peers.get(p).name(), theirs.get(p), 1 / slower, quiet));
    }
    Rounds.append(results);
  }

  /** Bytes on the heap for a request, on average over all. */
  private static long allocated(Scorer scorer, int[][] requests) {
    float[] ours = new float[requests[0].length];
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    for (int r = 0; r < REQUESTS; r++) {
      scorer.score(SCENARIO, ScoringWorkload.user(r), requests[r], ours);
    }
    return (threads.getCurrentThreadAllocatedBytes() - before) / REQUESTS;
  }

  /** Requests a second as the medians have them. CPU time is not taken here. */
  private static Rounds.Result result(
      String name, List<double[]> rounds, double ratio, boolean quiet) {
    double[] rates = rounds.stream().mapToDouble(r -> 1e6 / quantile(r, 0.5)).sorted().toArray();
    return new Rounds.Result(
        name,
        quantile(rates, 0.5),
        rates[0],
        rates[rates.length - 1],
        0,
        ratio,
        rates.length,
        quiet);
  }

  /** Of neighbours in a round. */
  private static double ratio(List<double[]> of, List<double[]> to, double share) {
    double[] ratios = new double[of.size()];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = quantile(of.get(i), share) / quantile(to.get(i), share);
    }
    return quantile(ratios, 0.5);
  }

  private interface Request {
    void run(int number);
  }

  private static double[] time(Request request) {
    double[] micros = new double[4 * REQUESTS];
    for (int i = 0; i < micros.length; i++) {
      long start = System.nanoTime();
      request.run(i % REQUESTS);
      micros[i] = (System.nanoTime() - start) / 1e3;
    }
    return micros;
  }

  private static void print(String name, List<double[]> rounds) {
    double[] p50 = rounds.stream().mapToDouble(r -> quantile(r, 0.5)).toArray();
    double[] p99 = rounds.stream().mapToDouble(r -> quantile(r, 0.99)).toArray();
    System.out.printf(
        Locale.ROOT,
        "%-20s p50 %8.1f us  p99 %8.1f us  (medians of %d rounds; the quietest: %.1f, %.1f us)%n",
        name,
        quantile(p50, 0.5),
        quantile(p99, 0.5),
        rounds.size(),
        quantile(p50, 0),
        quantile(p99, 0));
  }

  private static double quantile(double[] values, double share) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[(int) Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  }
}
