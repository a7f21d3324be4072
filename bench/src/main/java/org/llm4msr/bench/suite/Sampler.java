package org.llm4msr.bench.suite;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.llm4msr.bench.Machine;
import org.llm4msr.bench.kernels.KernelCase.Limit;
import org.llm4msr.bindings.cpu.Isa;

/**
 * Measures work and the rate that bounds it in turn, so that a clock that wanders treats both
 * alike. On one thread times are CPU time, on more they are wall-clock time. A round in which other
 * processes took more than 0.15 processors is repeated, as often as rounds are wanted; after that
 * disturbed ones are taken too and the figure says so.
 *
 * @param rounds wanted
 * @param seconds of work in each round
 */
record Sampler(String part, int rounds, double seconds) {
  /**
   * What is measured.
   *
   * @param units of one call that users count, such as tokens
   * @param flops of one call, 0 if not counted
   * @param bytes of one call at least, 0 if not counted
   */
  record Work(
      String name,
      Runnable call,
      double units,
      String unit,
      double flops,
      double bytes,
      Limit limit) {}

  private record Round(double seconds, double ceiling, boolean quiet) {}

  Figure measure(Work work, Ceilings ceilings) {
    boolean alone = ceilings.threads() == 1;
    Limit limit = lower(work, ceilings);
    time(work.call, alone, seconds / 2);
    List<Round> all = new ArrayList<>();
    List<Round> quiet = new ArrayList<>();
    while (quiet.size() < rounds && all.size() < 2 * rounds) {
      double own = Machine.ownCpuSeconds();
      double total = Machine.totalCpuSeconds();
      long start = System.nanoTime();
      double secondsPerCall = time(work.call, alone, seconds);
      double ceiling = ceilings.rate(limit);
      double others =
          (Machine.totalCpuSeconds() - total - Machine.ownCpuSeconds() + own)
              / ((System.nanoTime() - start) / 1e9);
      Round round = new Round(secondsPerCall, ceiling, others <= Machine.QUIET_PROCESSORS);
      all.add(round);
      if (round.quiet) {
        quiet.add(round);
      }
    }
    boolean isQuiet = quiet.size() >= rounds;
    List<Round> used = isQuiet ? quiet : all;
    double median = median(used, Round::seconds);
    boolean memory = limit == Limit.MEMORY;
    double counted = memory ? work.bytes : work.flops;
    return new Figure(
        part,
        work.name,
        Isa.selected().name(),
        ceilings.threads(),
        median * 1e3,
        work.units / median,
        work.unit,
        work.flops / median / 1e9,
        work.bytes / median / 1e9,
        limit.name(),
        median(used, Round::ceiling),
        median(used, round -> 100 * counted / round.seconds / 1e9 / round.ceiling),
        work.bytes > 0 ? work.flops / work.bytes : 0,
        used.size(),
        isQuiet);
  }

  /** Which roof is the lower one where its traffic meets it. */
  private static Limit lower(Work work, Ceilings ceilings) {
    if (work.bytes == 0 || work.limit == Limit.MEMORY) {
      return work.limit;
    }
    double fromMemory = work.flops / work.bytes * ceilings.rate(Limit.MEMORY);
    return fromMemory < ceilings.rate(work.limit) ? Limit.MEMORY : work.limit;
  }

  /** Seconds of a call. */
  private static double time(Runnable call, boolean alone, double atLeast) {
    long start = System.nanoTime();
    long cpu = Clock.threadNanos();
    int calls = 0;
    double elapsed;
    do {
      call.run();
      calls++;
      elapsed = (System.nanoTime() - start) / 1e9;
    } while (elapsed < atLeast);
    return (alone ? (Clock.threadNanos() - cpu) / 1e9 : elapsed) / calls;
  }

  private static double median(List<Round> rounds, ToDoubleFunction<Round> value) {
    double[] sorted = rounds.stream().mapToDouble(value).sorted().toArray();
    return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
  }
}
