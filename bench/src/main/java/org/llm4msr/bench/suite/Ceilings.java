package org.llm4msr.bench.suite;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.llm4msr.bench.kernels.KernelCase.Limit;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Int8Panels;
import org.llm4msr.bindings.cpu.Matrices;

/**
 * The rates that bound every kernel, on a number of threads.
 *
 * @param memory that all threads share
 */
record Ceilings(int threads, MemoryRate memory) implements AutoCloseable {
  // Some milliseconds, so that the call itself does not count.
  private static final long ITERATIONS = 2_000_000;

  private static final int TRIES = 5;

  static Ceilings on(int threads) {
    return new Ceilings(threads, new MemoryRate(threads));
  }

  /** The best of several tries, for the first finds the processor cold. */
  double best(Limit limit) {
    return IntStream.range(0, TRIES).mapToDouble(i -> rate(limit)).max().orElseThrow();
  }

  /** Multiply-adds a second in registers now, in GFLOP/s, of the instruction set in use. */
  private double operations(Limit limit) {
    if (threads == 1) {
      return onThisThread(limit);
    }
    try (ExecutorService executor = Executors.newFixedThreadPool(threads)) {
      List<Future<Double>> rates = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        rates.add(executor.submit(() -> onThisThread(limit)));
      }
      double sum = 0;
      for (Future<Double> rate : rates) {
        sum += rate.get();
      }
      return sum;
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  private static double onThisThread(Limit limit) {
    try (CpuPool pool = new CpuPool(1)) {
      long start = Clock.threadNanos();
      double operations =
          limit == Limit.INT8
              ? Int8Panels.peak(pool, ITERATIONS)
              : Matrices.fmaPeak(pool, ITERATIONS);
      return operations / (Clock.threadNanos() - start);
    }
  }

  /** The rate of a limit now, in GFLOP/s, or GB/s for memory. */
  double rate(Limit limit) {
    return limit == Limit.MEMORY ? memory.now() : operations(limit);
  }

  @Override
  public void close() {
    memory.close();
  }
}
