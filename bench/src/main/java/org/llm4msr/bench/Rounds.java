package org.llm4msr.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.json.JsonMapper;

/**
 * Measures contenders in turn, A B A B …, so that a machine whose clock or load wanders treats them
 * alike: the ratio of neighbours in one round is worth more than absolute figures from different
 * minutes. A round during which other processes used the processors is discarded.
 */
public final class Rounds {
  /** Environment variable: a file that each result is appended to, one line of JSON. */
  private static final String FILE = "BENCH_ROUNDS_FILE";

  private static final long PARKED_MILLIS = 400;

  private final List<Contender> contenders = new ArrayList<>();
  private final int wanted;
  private final double secondsPerMeasurement;
  private final double maxSeconds;

  private record Contender(String name, Runnable call, double unitsPerCall) {}

  /**
   * @param median units per second of wall-clock time
   * @param medianPerCpuSecond units per CPU-second of this process
   * @param medianRatio of this contender's rate to the first one's in the same round
   */
  public record Result(
      String name,
      double median,
      double min,
      double max,
      double medianPerCpuSecond,
      double medianRatio,
      int rounds,
      boolean quiet) {
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%-34s %10.1f /s  [%10.1f %10.1f]  per CPU-second %10.1f  x %.2f  (%d rounds%s)",
          name,
          median,
          min,
          max,
          medianPerCpuSecond,
          medianRatio,
          rounds,
          quiet ? "" : ", machine NOT quiet");
    }
  }

  /**
   * @param wanted quiet rounds to aim for
   * @param secondsPerMeasurement time for each contender in each round
   * @param maxSeconds when to give up waiting for quiet rounds, at least 3 are run
   */
  public Rounds(int wanted, double secondsPerMeasurement, double maxSeconds) {
    this.wanted = wanted;
    this.secondsPerMeasurement = secondsPerMeasurement;
    this.maxSeconds = maxSeconds;
  }

  /**
   * @param unitsPerCall what one call processes, such as samples or tokens
   */
  public Rounds add(String name, double unitsPerCall, Runnable call) {
    contenders.add(new Contender(name, call, unitsPerCall));
    return this;
  }

  /** Warms up, then measures round by round. Results are in the order of the contenders. */
  public List<Result> run() {
    for (Contender contender : contenders) {
      measure(contender, 2 * secondsPerMeasurement);
    }
    List<double[][]> all = new ArrayList<>();
    List<double[][]> quiet = new ArrayList<>();
    long start = System.nanoTime();
    while (quiet.size() < wanted
        && (all.size() < 3 || (System.nanoTime() - start) / 1e9 < maxSeconds)) {
      double[][] round = new double[contenders.size()][];
      boolean disturbed = false;
      for (int i = 0; i < round.length; i++) {
        round[i] = measure(contenders.get(i), secondsPerMeasurement);
        disturbed |= round[i][2] > Machine.QUIET_PROCESSORS;
      }
      all.add(round);
      if (!disturbed) {
        quiet.add(round);
      }
    }
    boolean enough = quiet.size() >= Math.min(3, wanted);
    List<double[][]> used = enough ? quiet : all;
    List<Result> results = new ArrayList<>();
    for (int i = 0; i < contenders.size(); i++) {
      results.add(summarize(contenders.get(i).name, used, i, enough));
    }
    append(results);
    return results;
  }

  /** Leaves results to {@code bench/run.sh full}, if that is what runs this. */
  public static void append(List<Result> results) {
    String file = System.getenv(FILE);
    if (file == null) {
      return;
    }
    try {
      for (Result result : results) {
        Files.writeString(
            Path.of(file),
            JsonMapper.shared().writeValueAsString(result) + "\n",
            StandardOpenOption.CREATE,
            StandardOpenOption.APPEND);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Result summarize(
      String name, List<double[][]> rounds, int contender, boolean quiet) {
    double[] rates = rounds.stream().mapToDouble(round -> round[contender][0]).sorted().toArray();
    double[] perCpu = rounds.stream().mapToDouble(round -> round[contender][1]).toArray();
    double[] ratios =
        rounds.stream().mapToDouble(round -> round[contender][0] / round[0][0]).toArray();
    return new Result(
        name,
        median(rates),
        rates[0],
        rates[rates.length - 1],
        median(perCpu),
        median(ratios),
        rates.length,
        quiet);
  }

  /** Units per second, units per own CPU-second, processors that others used meanwhile. */
  private static double[] measure(Contender contender, double seconds) {
    letOthersPark();
    double total = Machine.totalCpuSeconds();
    double own = Machine.ownCpuSeconds();
    long start = System.nanoTime();
    long calls = 0;
    double elapsed;
    do {
      contender.call.run();
      calls++;
      elapsed = (System.nanoTime() - start) / 1e9;
    } while (elapsed < seconds);
    own = Machine.ownCpuSeconds() - own;
    total = Machine.totalCpuSeconds() - total;
    double units = calls * contender.unitsPerCall;
    return new double[] {units / elapsed, units / own, (total - own) / elapsed};
  }

  /** OpenMP's threads spin for 200 ms after their last work, on the cores of whoever is next. */
  private static void letOthersPark() {
    try {
      Thread.sleep(PARKED_MILLIS);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}
