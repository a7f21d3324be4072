package org.llm4msr.app.run;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.llm4msr.app.data.ResultParts;
import org.llm4msr.app.run.Comparison.Arm;
import org.llm4msr.app.run.Comparison.Change;
import org.llm4msr.app.run.Comparison.Measure;
import org.llm4msr.model.recommender.backbone.BackboneKind;

/** A comparison for people, and as a CSV file for their tools. */
public final class ComparisonTable {
  private static final double SIGNIFICANT = 0.05;
  private static final String UNDEFINED = "n/a";

  private ComparisonTable() {}

  /**
   * Prints, for each backbone, all models over all test rows, then their AUC on each part, then
   * every slice with its tests; at the end all backbones in one table where there are several.
   */
  public static void print(PrintWriter out, Comparison comparison) {
    int seeds = comparison.seeds().size();
    for (BackboneKind backbone : comparison.backbones()) {
      out.printf("%s, %d %s%n", backbone.label(), seeds, seeds == 1 ? "seed" : "seeds");
      align(out, overall(comparison, backbone));
      out.println();
      align(out, parts(comparison, backbone));
      out.println();
      if (comparison.arms().size() > 1) {
        align(out, slices(comparison, backbone));
        out.println();
      }
    }
    if (comparison.backbones().size() > 1) {
      out.println("backbones, best first");
      align(out, overview(comparison));
      out.println();
    }
    if (comparison.arms().size() > 1 && seeds > 1) {
      out.println(
          "p: paired t-test against the backbone alone, or against random vectors where it says so;");
      out.println("Holm: corrected for all models and backbones here.");
      out.println("* in tables of the AUC on parts: Holm < 0.05.");
    } else if (comparison.arms().size() > 1) {
      out.println("n/a: not available, a spread and a test need at least two seeds.");
    }
    out.printf("%s has the fewest training rows.%n", comparison.sparsest());
    out.flush();
  }

  private static List<List<String>> overall(Comparison comparison, BackboneKind backbone) {
    boolean compares = comparison.arms().size() > 1;
    boolean controlled = compares && comparison.arms().contains(Arm.RANDOM);
    List<List<String>> lines = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of("all test rows", "AUC"));
    if (compares) {
      head.addAll(List.of("difference", "95 % interval", "p", "Holm", "RelaImpr"));
    }
    if (controlled) {
      head.addAll(List.of("over random", "p", "Holm"));
    }
    head.addAll(List.of("LogLoss", "GAUC", "calib. error", "weights", "seconds"));
    lines.add(head);
    String part = ResultParts.OVERALL;
    for (Arm arm : comparison.arms()) {
      List<String> line = new ArrayList<>();
      line.add(arm.title());
      line.add(spread(comparison.sample(backbone, arm, part, Measure.AUC)));
      if (compares) {
        line.addAll(cells(comparison.change(backbone, arm, Arm.WITHOUT, part, Measure.AUC)));
        double relaImpr = comparison.relaImpr(backbone, arm, part);
        line.add(arm == Arm.WITHOUT ? "" : number("%+.2f %%", relaImpr));
      }
      if (controlled) {
        List<String> over = cells(comparison.change(backbone, arm, Arm.RANDOM, part, Measure.AUC));
        line.add(over.get(0));
        line.add(over.get(2));
        line.add(over.get(3));
      }
      line.add(number("%.4f", comparison.sample(backbone, arm, part, Measure.LOGLOSS).mean()));
      line.add(number("%.4f", comparison.sample(backbone, arm, part, Measure.GAUC).mean()));
      line.add(
          number("%.4f", comparison.sample(backbone, arm, part, Measure.CALIBRATION_ERROR).mean()));
      line.add(String.format(Locale.ROOT, "%,d", comparison.weights(backbone, arm)));
      line.add(number("%.1f", comparison.seconds(backbone, arm).mean()));
      lines.add(line);
    }
    return lines;
  }

  /** A line for each backbone: alone, and what LLM4MSR makes of it. */
  static List<List<String>> overview(Comparison comparison) {
    Arm main = comparison.main();
    boolean compares = main == Arm.WITH;
    boolean controlled = compares && comparison.arms().contains(Arm.RANDOM);
    List<List<String>> lines = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of("all test rows", "AUC alone"));
    if (compares) {
      head.addAll(List.of("with LLM4MSR", "gain", "Holm"));
    }
    if (controlled) {
      head.addAll(List.of("over random", "Holm"));
    }
    head.addAll(List.of("weights", "seconds"));
    lines.add(head);
    String part = ResultParts.OVERALL;
    for (BackboneKind backbone : comparison.ranked()) {
      List<String> line = new ArrayList<>();
      line.add(backbone.label());
      line.add(spread(comparison.sample(backbone, Arm.WITHOUT, part, Measure.AUC)));
      if (compares) {
        line.add(spread(comparison.sample(backbone, main, part, Measure.AUC)));
      }
      for (Arm base : List.of(Arm.WITHOUT, Arm.RANDOM)) {
        if (base == Arm.WITHOUT ? compares : controlled) {
          List<String> cells = cells(comparison.change(backbone, main, base, part, Measure.AUC));
          line.add(cells.get(0));
          line.add(cells.get(3));
        }
      }
      line.add(String.format(Locale.ROOT, "%,d", comparison.weights(backbone, main)));
      line.add(number("%.1f", comparison.seconds(backbone, main).mean()));
      lines.add(line);
    }
    return lines;
  }

  private static List<List<String>> parts(Comparison comparison, BackboneKind backbone) {
    List<List<String>> lines = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of("AUC on"));
    comparison.arms().forEach(arm -> head.add(arm.title()));
    lines.add(head);
    for (String part : comparison.parts()) {
      List<String> line = new ArrayList<>(List.of(part));
      for (Arm arm : comparison.arms()) {
        String auc = number("%.4f", comparison.sample(backbone, arm, part, Measure.AUC).mean());
        double holm = comparison.holm(backbone, arm, Arm.WITHOUT, part, Measure.AUC);
        line.add(auc + (holm < SIGNIFICANT ? "*" : " "));
      }
      lines.add(line);
    }
    return lines;
  }

  /** Difference, interval, p and corrected p; empty where there is nothing to compare. */
  private static List<String> cells(Optional<Change> change) {
    if (change.isEmpty()) {
      return List.of("", "", "", "");
    }
    Sample difference = change.get().difference();
    String low = signed(difference.low());
    String interval = low + " to " + signed(difference.high());
    return List.of(
        signed(difference.mean()),
        Double.isFinite(difference.low()) ? interval : UNDEFINED,
        number("%.4f", difference.tTest()),
        number("%.4f", change.get().holm()));
  }

  /** AUC and LogLoss of every model on every slice. */
  private static List<List<String>> slices(Comparison comparison, BackboneKind backbone) {
    boolean controlled = comparison.arms().contains(Arm.RANDOM);
    List<List<String>> lines = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of("slice", "rows", "model", "measure", "mean"));
    head.addAll(List.of("difference", "95 % interval", "p", "Holm"));
    if (controlled) {
      head.addAll(List.of("over random", "95 % interval", "p", "Holm"));
    }
    lines.add(head);
    for (String slice : comparison.slices()) {
      String rows = String.format(Locale.ROOT, "%,d", comparison.rows(slice));
      for (Measure measure : List.of(Measure.AUC, Measure.LOGLOSS)) {
        for (Arm arm : comparison.arms()) {
          List<String> line = new ArrayList<>(List.of(slice, rows, arm.title(), measure.label()));
          line.add(spread(comparison.sample(backbone, arm, slice, measure)));
          line.addAll(cells(comparison.change(backbone, arm, Arm.WITHOUT, slice, measure)));
          if (controlled) {
            line.addAll(cells(comparison.change(backbone, arm, Arm.RANDOM, slice, measure)));
          }
          lines.add(line);
        }
        if (comparison.rows(slice) == 0) {
          break;
        }
      }
    }
    return lines;
  }

  private static void align(PrintWriter out, List<List<String>> lines) {
    int columns = lines.getFirst().size();
    int[] widths = new int[columns];
    for (List<String> line : lines) {
      for (int i = 0; i < columns; i++) {
        widths[i] = Math.max(widths[i], line.get(i).length());
      }
    }
    for (List<String> line : lines) {
      StringBuilder text = new StringBuilder();
      for (int i = 0; i < columns; i++) {
        String cell = line.get(i);
        String gap = " ".repeat(widths[i] - cell.length());
        text.append("  ").append(i == 0 ? cell + gap : gap + cell);
      }
      out.println(text.toString().stripTrailing());
    }
  }

  /** One line per backbone, model, part of the test rows and measure. */
  static String csv(Comparison comparison) {
    StringBuilder text =
        new StringBuilder(
            "backbone,model,part,rows,measure,mean,deviation,difference,low,high,t_test_p,holm_p,"
                + "over_random,over_random_low,over_random_high,over_random_t_test_p,"
                + "over_random_holm_p,relaimpr_percent,weights,seconds\n");
    for (BackboneKind backbone : comparison.backbones()) {
      for (Arm arm : comparison.arms()) {
        for (String part : comparison.parts()) {
          for (Measure measure : Measure.values()) {
            Sample sample = comparison.sample(backbone, arm, part, measure);
            List<String> line = new ArrayList<>();
            line.add(backbone.label());
            line.add(arm.label());
            line.add(PredictionsFile.quoted(part));
            line.add(Long.toString(comparison.rows(part)));
            line.add(measure.label());
            line.add(field(sample.mean()));
            line.add(field(sample.deviation()));
            for (Arm base : List.of(Arm.WITHOUT, Arm.RANDOM)) {
              line.addAll(fields(comparison.change(backbone, arm, base, part, measure)));
            }
            boolean relative = measure == Measure.AUC && arm != Arm.WITHOUT;
            line.add(relative ? field(comparison.relaImpr(backbone, arm, part)) : "");
            line.add(Long.toString(comparison.weights(backbone, arm)));
            line.add(field(comparison.seconds(backbone, arm).mean()));
            text.append(String.join(",", line)).append('\n');
          }
        }
      }
    }
    return text.toString();
  }

  private static List<String> fields(Optional<Change> change) {
    if (change.isEmpty()) {
      return List.of("", "", "", "", "");
    }
    Sample difference = change.get().difference();
    return List.of(
        field(difference.mean()),
        field(difference.low()),
        field(difference.high()),
        field(difference.tTest()),
        field(change.get().holm()));
  }

  private static String field(double value) {
    return Double.isFinite(value) ? Double.toString(value) : "";
  }

  private static String spread(Sample sample) {
    String mean = number("%.4f", sample.mean());
    double deviation = sample.deviation();
    return Double.isFinite(deviation) ? mean + " ± " + number("%.4f", deviation) : mean;
  }

  /** A difference with its sign; one that rounds to nothing has a plus. */
  static String signed(double difference) {
    // Adding 0 turns -0 into 0.
    return number("%+.4f", Math.rint(difference * 1e4) / 1e4 + 0.0);
  }

  private static String number(String format, double value) {
    return Double.isFinite(value) ? String.format(Locale.ROOT, format, value) : UNDEFINED;
  }
}
