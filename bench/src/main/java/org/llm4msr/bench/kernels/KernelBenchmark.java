package org.llm4msr.bench.kernels;

import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.llm4msr.bench.Machine;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Int8Panels;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.bindings.cpu.Matrices;
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

/**
 * Kernels on one thread as a share of the core's multiply-add rate, of floats or of 8-bit integers,
 * which is measured between the calls: clocks wander, so neither figure means much without the
 * other. Times are CPU time of the thread, which other processes disturb least.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(value = 1, jvmArgs = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = KernelBenchmark.WARMUP_ITERATIONS, time = 1)
@Measurement(iterations = 5, time = 1)
public class KernelBenchmark {
  static final int WARMUP_ITERATIONS = 2;

  // Some milliseconds, so that the call itself does not count.
  private static final long PEAK_ITERATIONS = 2_000_000;
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  @Param({"AVX512_VNNI", "AVX2"})
  public Isa isa;

  @Param({
    "matmul 128 896 4864 F32",
    "matmul 512 896 4864 F32",
    "matmul 128 896 4864 BF16",
    "matmul 512 896 4864 BF16",
    "matmul 128 4864 896 F32",
    "matmul 4096 128 256 F32",
    "matmul 1 896 4864 F32",
    "int8 128 384 1536",
    "int8 128 896 4864",
    "int8 512 896 4864",
    "int8 128 4864 896",
    "int8 1 896 4864",
    "blocks 128 896 4864 Q8_0",
    "blocks 128 896 4864 Q4_0",
    "gradient 4096 128 256",
    "grouped 4 1024 128 256",
    "grouped 4096 1 32 64",
    "attention 8 128 14 2 64",
    "attention 1 512 12 12 64"
  })
  public String kernel;

  private Arena arena;
  private CpuPool pool;
  private KernelCase kernelCase;

  private double flops;
  private double nanos;
  private double peakFlops;
  private double peakNanos;
  private final List<double[]> iterations = new ArrayList<>();

  @Setup(Level.Trial)
  public void open() {
    isa.select();
    System.out.println(Machine.describe("cpu, " + isa));
    arena = Arena.ofShared();
    pool = new CpuPool(1);
    kernelCase = KernelCase.of(kernel, pool, arena);
  }

  /** The time that JMH reports includes the measurement of the peak; the rates printed do not. */
  @Benchmark
  public void run() {
    long start = THREADS.getCurrentThreadCpuTime();
    int calls = (int) Math.max(1, 2e8 / kernelCase.flops());
    for (int i = 0; i < calls; i++) {
      kernelCase.call().run();
    }
    long middle = THREADS.getCurrentThreadCpuTime();
    peakFlops +=
        kernelCase.limit() == KernelCase.Limit.INT8
            ? Int8Panels.peak(pool, PEAK_ITERATIONS)
            : Matrices.fmaPeak(pool, PEAK_ITERATIONS);
    long end = THREADS.getCurrentThreadCpuTime();
    flops += calls * kernelCase.flops();
    nanos += middle - start;
    peakNanos += end - middle;
  }

  @TearDown(Level.Iteration)
  public void note() {
    iterations.add(
        new double[] {
          flops / nanos, peakFlops / peakNanos, 100 * flops / nanos * peakNanos / peakFlops
        });
    flops = 0;
    nanos = 0;
    peakFlops = 0;
    peakNanos = 0;
  }

  @TearDown(Level.Trial)
  public void close() {
    List<double[]> measured = iterations.subList(WARMUP_ITERATIONS, iterations.size());
    System.out.printf(
        Locale.ROOT,
        "%n%s, %s: %.1f GFLOP/s, multiply-adds %.1f GFLOP/s, %.1f %% (medians of %d)%n",
        kernel,
        isa,
        median(measured, 0),
        median(measured, 1),
        median(measured, 2),
        measured.size());
    pool.close();
    arena.close();
  }

  private static double median(List<double[]> rows, int column) {
    double[] values = rows.stream().mapToDouble(row -> row[column]).sorted().toArray();
    return values[values.length / 2];
  }
}
