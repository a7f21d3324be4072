package org.llm4msr.bench.scoring;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.llm4msr.bench.Machine;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.model.scorer.Precision;
import org.llm4msr.model.scorer.Scorer;
import org.llm4msr.model.scorer.Snapshot;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Time of one request; every request is another user's, so her layers are generated each time. */
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ScoringBenchmark {
  private static final int REQUESTS = 512;

  @Param({"200", "1000"})
  public int items;

  @Param({"0", "896", "4096"})
  public int knowledgeWidth;

  @Param({"F32", "BF16", "INT8"})
  public Precision precision;

  @Param({"best"})
  public String isa;

  private Arena arena;
  private Path file;
  private Snapshot snapshot;
  private Scorer scorer;
  private MemorySegment[] requests;
  private MemorySegment probabilities;
  private int next;

  @Setup(Level.Trial)
  public void open() throws IOException {
    if (!isa.equals("best")) {
      Isa.valueOf(isa).select();
    }
    System.out.println(Machine.describe("C kernels for " + Isa.selected()));
    file = Files.createTempFile("bench", ".snapshot");
    arena = Arena.ofConfined();
    try (ScoringWorkload workload = new ScoringWorkload(knowledgeWidth)) {
      workload.export(file, precision);
      int[][] drawn = workload.requests(REQUESTS, items);
      requests = new MemorySegment[REQUESTS];
      for (int r = 0; r < REQUESTS; r++) {
        requests[r] = arena.allocateFrom(JAVA_INT, drawn[r]);
      }
    }
    probabilities = arena.allocate((long) items * Float.BYTES, 64);
    snapshot = Snapshot.open(file);
    scorer = snapshot.scorer();
  }

  @Benchmark
  public MemorySegment request() {
    int request = next++ & (REQUESTS - 1);
    scorer.score(
        request % 3, ScoringWorkload.user(request), requests[request], items, probabilities);
    return probabilities;
  }

  @TearDown(Level.Trial)
  public void close() throws IOException {
    scorer.close();
    snapshot.close();
    arena.close();
    Files.delete(file);
  }
}
