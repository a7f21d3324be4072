package org.llm4msr.bench.suite;

import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import org.llm4msr.bench.Machine;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.runtime.UserError;

/**
 * Everything measured by one command, beside the rates of the machine:
 *
 * <pre>
 * bench/run.sh quick [PART…]      kernels, ladder, encoding, scoring, training
 * bench/run.sh full [PART…]       the same and more of each, and peers
 * </pre>
 *
 * <p>Each part is independent: one that fails is reported and the others run. Figures go to {@code
 * bench/results/DATE.json}, where a part that is measured again replaces its figures of that day,
 * and the kernels' and the ladder's to rooflines in {@code docs/figures}.
 */
public final class Suite {
  private static final List<String> QUICK =
      List.of("kernels", "ladder", "encoding", "scoring", "training");
  private static final String PEERS = "peers";

  private final boolean full;
  private final Results results;

  private Suite(boolean full) {
    this.full = full;
    this.results = Results.of(Path.of("bench/results", LocalDate.now(ZoneOffset.UTC) + ".json"));
  }

  public static void main(String[] args) {
    try {
      boolean full = args[0].equals("full");
      List<String> known = new ArrayList<>(QUICK);
      if (full) {
        known.add(PEERS);
      }
      List<String> parts = List.of(args).subList(1, args.length);
      for (String part : parts) {
        if (!known.contains(part)) {
          throw new UserError(
              "no part of '" + args[0] + "' is called '" + part + "', expected one of " + known);
        }
      }
      System.exit(new Suite(full).run(parts.isEmpty() ? known : parts) ? 0 : 1);
    } catch (UserError e) {
      System.err.println("bench/run.sh: " + e.getMessage());
      System.exit(1);
    }
  }

  private boolean run(List<String> parts) {
    int cores = Runtime.getRuntime().availableProcessors();
    System.out.println(Machine.describe("cpu, C kernels for " + Isa.selected()));
    Machine.warnIfBusy();
    try (Ceilings one = Ceilings.on(1);
        Ceilings all = Ceilings.on(cores)) {
      return run(parts, one, all);
    }
  }

  private boolean run(List<String> parts, Ceilings one, Ceilings all) {
    results.ceilings(one, all).forEach(System.out::println);
    List<String> failed = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      String part = parts.get(i);
      System.out.printf("%n[%d/%d] %s%n", i + 1, parts.size(), part);
      results.begin(part);
      try {
        measure(part, one, all);
        results.save();
      } catch (RuntimeException | LinkageError e) {
        failed.add(part);
        System.err.println(part + " failed: " + e);
      }
    }
    RooflineChart.write(
        Path.of("docs/figures/roofline.svg"),
        "Our kernels under the machine's rates, one thread",
        results,
        "kernels");
    RooflineChart.write(
        Path.of("docs/figures/ladder.svg"),
        "relu(a w + bias), 128 x 896 x 4864, step by step, one thread",
        results,
        "ladder");
    System.out.printf("%nwritten: %s, and charts in docs/figures%n", results.file());
    return failed.isEmpty();
  }

  private void measure(String part, Ceilings one, Ceilings all) {
    if (part.equals(PEERS)) {
      new Peers(results).run();
      return;
    }
    Parts measured = new Parts(full, part, one, all, this::found);
    switch (part) {
      case "kernels" -> measured.kernels();
      case "ladder" -> measured.ladder();
      case "encoding" -> measured.encoding();
      case "scoring" -> measured.scoring();
      case "training" -> measured.training();
      default -> throw new IllegalStateException(part);
    }
  }

  private void found(Figure figure) {
    System.out.println(figure.line());
    results.add(figure);
  }
}
