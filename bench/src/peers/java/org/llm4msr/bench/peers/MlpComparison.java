package org.llm4msr.bench.peers;

import ai.onnxruntime.OrtException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.scoring.MlpWorkload;
import org.llm4msr.bench.scoring.ScoringWorkload;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.scorer.Scorer;
import org.llm4msr.model.scorer.Snapshot;

/**
 * A plain network 200-256-128-64-1 beside ONNX Runtime, in turn, on one thread: ours with all of
 * the items' numbers multiplied in each request, and with what they add to the first layer held
 * ready. Arguments: items, rounds, f32, bf16 or int8 for our snapshots.
 */
public final class MlpComparison {
  private MlpComparison() {}

  /** Ours, with the items' part of the first layer held ready. */
  private record HeldReady(Scorer scorer, int[][] items, float[] probabilities)
      implements ScoringPeer {
    @Override
    public String name() {
      return "llm4msr, held ready";
    }

    @Override
    public void prepare(int user, int[] unused) {
      // The scorer takes requests as they are.
    }

    @Override
    public float[] score(int request) {
      run(request);
      return probabilities.clone();
    }

    @Override
    public void run(int request) {
      scorer.score(
          ScoringComparison.SCENARIO, ScoringWorkload.user(request), items[request], probabilities);
    }

    @Override
    public void close() {
      scorer.close();
    }
  }

  public static void main(String[] args) throws IOException, OrtException {
    int items = Integer.parseInt(args[0]);
    int rounds = Integer.parseInt(args[1]);
    Precision precision = Precision.valueOf(args[2].toUpperCase(Locale.ROOT));
    Path plain = Files.createTempFile("bench", ".snapshot");
    Path ready = Files.createTempFile("bench", ".snapshot");
    try (MlpWorkload workload = new MlpWorkload();
        ScoringPeer onnx = new OnnxMlp(workload, ScoringComparison.SCENARIO)) {
      workload.export(plain, false, precision);
      workload.export(ready, true, precision);
      System.out.println(Machine.describe("C kernels for " + Isa.selected()));
      System.out.printf("%d items, 200-256-128-64-1, %s%n", items, precision);
      int[][] requests = workload.requests(ScoringComparison.REQUESTS, items);
      for (int r = 0; r < requests.length; r++) {
        onnx.prepare(ScoringWorkload.user(r), requests[r]);
      }
      try (Snapshot snapshot = Snapshot.open(plain);
          Scorer scorer = snapshot.scorer();
          Snapshot other = Snapshot.open(ready);
          ScoringPeer held = new HeldReady(other.scorer(), requests, new float[items])) {
        List<ScoringPeer> peers = List.of(onnx, held);
        ScoringComparison.run(scorer, peers, requests, rounds, precision);
      }
      System.out.println(Machine.describe("C kernels for " + Isa.selected()));
    } finally {
      Files.delete(plain);
      Files.delete(ready);
    }
  }
}
