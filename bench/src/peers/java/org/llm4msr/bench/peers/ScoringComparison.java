package org.llm4msr.bench.peers;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.jni.JniUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.scoring.ScoringWorkload;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.model.scorer.Scorer;
import org.llm4msr.model.scorer.Snapshot;

/**
 * Requests to a scorer beside PyTorch, in turn, on one thread; each request is another user's.
 * Arguments: items, width of the knowledge (0 = none), rounds.
 */
public final class ScoringComparison {
  private static final double TOLERANCE = 1e-5;
  private static final int REQUESTS = 256;
  private static final int SCENARIO = 1;

  private ScoringComparison() {}

  public static void main(String[] args) throws IOException {
    int items = Integer.parseInt(args[0]);
    int rounds = Integer.parseInt(args[2]);
    Engine engine = Engine.getInstance();
    JniUtils.setNumThreads(1);
    Path file = Files.createTempFile("bench", ".snapshot");
    try (ScoringWorkload workload = new ScoringWorkload(Integer.parseInt(args[1]));
        NDManager manager = NDManager.newBaseManager();
        TorchScorer peer = new TorchScorer(manager, workload, SCENARIO)) {
      workload.export(file);
      System.out.println(Machine.describe("C kernels for " + Isa.selected()) + "; " + engine);
      System.out.println(items + " items, knowledge " + workload.knowledgeWidth());
      int[][] requests = workload.requests(REQUESTS, items);
      List<NDList> prepared = new ArrayList<>();
      for (int r = 0; r < REQUESTS; r++) {
        prepared.add(peer.request(ScoringWorkload.user(r), requests[r]));
      }
      try (Snapshot snapshot = Snapshot.open(file);
          Scorer scorer = snapshot.scorer()) {
        compare(scorer, peer, requests, prepared, rounds);
      }
    } finally {
      Files.delete(file);
    }
  }

  private static void compare(
      Scorer scorer, TorchScorer peer, int[][] requests, List<NDList> prepared, int rounds) {
    float[] ours = new float[requests[0].length];
    double worst = 0;
    for (int r = 0; r < REQUESTS; r++) {
      scorer.score(SCENARIO, ScoringWorkload.user(r), requests[r], ours);
      try (NDArray theirs = peer.score(prepared.get(r))) {
        float[] values = theirs.toFloatArray();
        for (int i = 0; i < ours.length; i++) {
          worst = Math.max(worst, Math.abs(ours[i] - values[i]));
        }
      }
    }
    System.out.printf(Locale.ROOT, "largest difference %.2e%n", worst);
    if (!(worst <= TOLERANCE)) {
      throw new IllegalStateException("the probabilities differ by more than " + TOLERANCE);
    }
    List<double[]> scored = new ArrayList<>();
    List<double[]> theirs = new ArrayList<>();
    for (int round = -2; round < rounds; round++) {
      double[] a = time(r -> scorer.score(SCENARIO, ScoringWorkload.user(r), requests[r], ours));
      double[] b = time(r -> peer.score(prepared.get(r)).close());
      // The first rounds warm both up.
      if (round >= 0) {
        scored.add(a);
        theirs.add(b);
      }
    }
    print("llm4msr", scored);
    print("PyTorch", theirs);
    double[] ratios = new double[rounds];
    for (int i = 0; i < rounds; i++) {
      ratios[i] = quantile(theirs.get(i), 0.5) / quantile(scored.get(i), 0.5);
    }
    System.out.printf(Locale.ROOT, "ratio of the medians, median of rounds: %.2f%n",
        quantile(ratios, 0.5));
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
        "%-10s p50 %8.1f us  p99 %8.1f us  (medians of %d rounds)%n",
        name,
        quantile(p50, 0.5),
        quantile(p99, 0.5),
        rounds.size());
  }

  private static double quantile(double[] values, double share) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[(int) Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  }
}
