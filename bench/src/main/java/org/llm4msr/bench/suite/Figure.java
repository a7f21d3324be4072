package org.llm4msr.bench.suite;

import java.util.Locale;

/**
 * One thing measured, beside the rate that bounds it.
 *
 * @param part of the suite that it belongs to
 * @param name such as {@code matmul 128 896 4864 F32}
 * @param isa instruction set of the kernels
 * @param millis of one call, median
 * @param rate of what users count, 0 where there is nothing else than operations
 * @param unit of that rate
 * @param gflops operations, a multiply-add counted as two; 0 where they aren't counted
 * @param gigabytes of least traffic in a second, 0 where it isn't counted
 * @param limit FMA, INT8 or MEMORY
 * @param limitRate of the machine in the same rounds, in GFLOP/s, or GB/s for MEMORY
 * @param percent of that rate, median over rounds; 0 where nothing is counted
 * @param intensity operations for each byte of least traffic, 0 where not counted
 * @param rounds measured
 * @param quiet whether nothing else took more than 0.15 processors in any of them
 */
record Figure(
    String part,
    String name,
    String isa,
    int threads,
    double millis,
    double rate,
    String unit,
    double gflops,
    double gigabytes,
    String limit,
    double limitRate,
    double percent,
    double intensity,
    int rounds,
    boolean quiet) {
  /** One line for a terminal. */
  String line() {
    StringBuilder line = new StringBuilder();
    line.append(String.format(Locale.ROOT, "%-30s %-11s %d  %9.3f ms", name, isa, threads, millis));
    if (rate > 0) {
      line.append(String.format(Locale.ROOT, "  %,10.0f %s", rate, unit));
    }
    if (gflops > 0) {
      line.append(String.format(Locale.ROOT, "  %8.1f GFLOP/s", gflops));
    }
    if (gigabytes > 0) {
      line.append(String.format(Locale.ROOT, "  %6.1f GB/s", gigabytes));
    }
    if (percent > 0) {
      String of = limit.equals("MEMORY") ? "GB/s, memory" : "GFLOP/s, " + limit;
      line.append(String.format(Locale.ROOT, "  %5.1f %% of %.1f %s", percent, limitRate, of));
    }
    return line + (quiet ? "" : "  NOT quiet");
  }
}
