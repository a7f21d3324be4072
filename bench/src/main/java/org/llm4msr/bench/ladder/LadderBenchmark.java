package org.llm4msr.bench.ladder;

import java.util.concurrent.TimeUnit;
import org.llm4msr.bindings.cpu.Isa;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Each step of {@link Ladder}, checked before it is measured. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgs = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
public class LadderBenchmark {
  @Param({"NAIVE", "BLOCKED", "PACKED", "TILED", "FUSED", "SHIPPED", "PACKED_ONCE"})
  public Ladder.Step step;

  /** Of the steps that ship. */
  @Param({"1"})
  public int threads;

  /** Of the steps that ship. */
  @Param({"AVX2"})
  public Isa isa;

  private Ladder ladder;
  private Runnable run;

  @Setup(Level.Trial)
  public void open() {
    isa.select();
    ladder = new Ladder(threads);
    run = ladder.checked(step);
  }

  @Benchmark
  public void step() {
    run.run();
  }

  @TearDown(Level.Trial)
  public void close() {
    ladder.close();
  }
}
