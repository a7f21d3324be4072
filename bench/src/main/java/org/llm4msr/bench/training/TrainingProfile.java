package org.llm4msr.bench.training;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.llm4msr.bench.Machine;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.Backends;

/**
 * Where a training step's time goes, per operator and shapes. Its CPU time, and with one thread the
 * operators' tenth percentiles, compare builds on a machine that others use as well. Arguments:
 * backend, backbone, rows of the largest tables, threads, batch size, width of the knowledge
 * vectors (0 for none), {@code lazy} or {@code dense}, steps.
 */
public final class TrainingProfile {
  private TrainingProfile() {}

  public static void main(String[] args) {
    int threads = Integer.parseInt(args[3]);
    TrainingWorkload workload =
        new TrainingWorkload(
            TrainingWorkload.Kind.valueOf(args[1].toUpperCase(Locale.ROOT)),
            Integer.parseInt(args[2]),
            Integer.parseInt(args[4]),
            Integer.parseInt(args[5]));
    boolean lazy = args[6].equals("lazy");
    int steps = Integer.parseInt(args[7]);
    try (Backend backend = Backends.open(args[0], new BackendOptions(threads));
        TrainingStep step = new TrainingStep(backend, workload, lazy)) {
      System.out.println(Machine.describe(backend.description()));
      for (int i = 0; i < Math.max(1, steps / 4); i++) {
        step.run();
      }
      Map<String, List<Long>> nanos = new LinkedHashMap<>();
      double cpu = Machine.ownCpuSeconds();
      long start = System.nanoTime();
      for (int i = 0; i < steps; i++) {
        step.plan().startProfile();
        step.run();
        step.plan()
            .profileNanos()
            .forEach(
                (name, time) -> nanos.computeIfAbsent(name, key -> new ArrayList<>()).add(time));
      }
      double micros = (System.nanoTime() - start) / 1e3 / steps;
      cpu = (Machine.ownCpuSeconds() - cpu) * 1e6 / steps;
      System.out.printf(
          Locale.ROOT,
          "%s, %s: %.0f us a step, %.0f us of CPU time, %.0f samples/s%n",
          workload,
          args[6],
          micros,
          cpu,
          workload.batchSize() / micros * 1e6);
      nanos.values().forEach(Collections::sort);
      System.out.printf(
          Locale.ROOT,
          "%10s %10s  of each operator: mean and tenth percentile, us; %.0f in all%n",
          "",
          "",
          nanos.values().stream().mapToLong(TrainingProfile::tenthPercentile).sum() / 1e3);
      nanos.entrySet().stream()
          .sorted(Comparator.comparingLong(entry -> -tenthPercentile(entry.getValue())))
          .forEach(entry ->
              System.out.printf(
                  Locale.ROOT,
                  "%10.1f %10.1f  %s%n",
                  entry.getValue().stream().mapToLong(time -> time).sum() / 1e3 / steps,
                  tenthPercentile(entry.getValue()) / 1e3,
                  entry.getKey()));
    }
  }

  private static long tenthPercentile(List<Long> sorted) {
    return sorted.get(sorted.size() / 10);
  }
}
