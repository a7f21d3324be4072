package org.llm4msr.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/** What a figure depends on besides the code: the processor, its load, and who else uses it. */
public final class Machine {
  /** Processors that others may take while something is measured. */
  public static final double QUIET_PROCESSORS = 0.15;

  private static final double TICKS_PER_SECOND = 100;

  private Machine() {}

  /** One line to print above figures. */
  public static String describe(String backend) {
    return String.format(
        Locale.ROOT,
        "%s, %s, %d cores, load average %.2f, Java %s, backend %s",
        Instant.now().truncatedTo(ChronoUnit.MINUTES),
        processor(),
        Runtime.getRuntime().availableProcessors(),
        loadAverage(),
        Runtime.version(),
        backend);
  }

  /** Of the last minute; negative where the system does not say. */
  public static double loadAverage() {
    return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
  }

  /** Says so on standard error if others keep the processors busy. */
  public static void warnIfBusy() {
    double total = totalCpuSeconds();
    double own = ownCpuSeconds();
    long start = System.nanoTime();
    LockSupport.parkNanos(1_000_000_000);
    double others =
        (totalCpuSeconds() - total - ownCpuSeconds() + own) / ((System.nanoTime() - start) / 1e9);
    if (others > QUIET_PROCESSORS) {
      System.err.printf(
          Locale.ROOT,
          "warning: other processes take %.1f processors; figures taken meanwhile are marked NOT quiet%n",
          others);
    }
  }

  private static String processor() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    } catch (IOException e) {
      return System.getProperty("os.arch");
    }
  }

  /** CPU-seconds that this process has used. */
  public static double ownCpuSeconds() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getProcessCpuTime() / 1e9
        : Double.NaN;
  }

  /** CPU-seconds that everybody has used since the start of the system, NaN if it does not say. */
  public static double totalCpuSeconds() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/stat"))) {
      String[] ticks = lines.findFirst().orElseThrow().split("\\s+");
      long busy = 0;
      // user, nice, system, irq, softirq, steal; not idle and iowait.
      for (int column : new int[] {1, 2, 3, 6, 7, 8}) {
        busy += Long.parseLong(ticks[column]);
      }
      return busy / TICKS_PER_SECOND;
    } catch (IOException e) {
      return Double.NaN;
    }
  }
}
