package org.llm4msr.bench.training;

import java.util.concurrent.TimeUnit;
import org.llm4msr.bench.Machine;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;
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

/** One training step of {@link TrainingWorkload}, batches made beforehand. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 3, jvmArgs = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class TrainingStepBenchmark {
  @Param({"cpu"})
  public String backend;

  @Param({"STAR", "MMOE", "PLE"})
  public TrainingWorkload.Kind backbone;

  @Param({"10000", "100000", "1000000"})
  public int largestTable;

  @Param({"1", "2"})
  public int threads;

  @Param({"4096", "512"})
  public int batchSize;

  @Param({"0", "896", "4096"})
  public int knowledgeWidth;

  @Param({"lazy", "dense"})
  public String adam;

  private Backend opened;
  private TrainingStep step;

  @Setup(Level.Trial)
  public void open() {
    opened = Backends.open(backend, new BackendOptions(threads));
    System.out.println(Machine.describe(opened.description()));
    TrainingWorkload workload =
        new TrainingWorkload(backbone, largestTable, batchSize, knowledgeWidth);
    step = new TrainingStep(opened, workload, adam.equals("lazy"));
  }

  @Benchmark
  public double step() {
    step.run();
    return step.loss();
  }

  @TearDown(Level.Trial)
  public void close() {
    step.close();
    opened.close();
  }
}
