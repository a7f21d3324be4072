package org.llm4msr.app.run;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.Set;
import org.llm4msr.app.run.Comparison.Arm;
import org.llm4msr.app.run.Comparison.Measure;
import org.llm4msr.model.recommender.backbone.BackboneKind;

/** A comparison for people: mean ± standard deviation over the seeds. */
public final class ComparisonTable {
  private ComparisonTable() {}

  /** Prints one table per backbone. */
  public static void print(PrintWriter out, Comparison comparison, Set<Measure> measures) {
    for (BackboneKind backbone : comparison.backbones()) {
      print(out, comparison, backbone, measures);
    }
    out.flush();
  }

  private static void print(
      PrintWriter out, Comparison comparison, BackboneKind backbone, Set<Measure> measures) {
    int seeds = comparison.seeds().size();
    out.printf(
        "%s, %d %s%n",
        backbone.name().toLowerCase(Locale.ROOT), seeds, seeds == 1 ? "seed" : "seeds");
    int width = comparison.parts().stream().mapToInt(String::length).max().orElse(0);
    boolean compares = comparison.arms().size() > 1;
    out.printf("  %-" + width + "s  %-8s  %16s", "test rows", "measure", "without");
    if (compares) {
      out.printf("  %16s  %10s  %9s  %9s", "with LLM4MSR", "difference", "p (t)", "RelaImpr");
      if (seeds >= Sample.LEAST_FOR_WILCOXON) {
        out.printf("  %9s", "p (W)");
      }
    }
    if (comparison.arms().contains(Arm.RANDOM)) {
      out.printf("  %16s  %10s", "random vectors", "difference");
    }
    out.println();
    for (String part : comparison.parts()) {
      for (Measure measure : measures) {
        String name = measure == Measure.AUC ? part : "";
        out.printf("  %-" + width + "s  %-8s", name, measure.name());
        line(out, comparison, backbone, part, measure);
      }
    }
    out.println();
  }

  private static void line(
      PrintWriter out, Comparison comparison, BackboneKind backbone, String part, Measure measure) {
    for (Arm arm : comparison.arms()) {
      Sample sample = comparison.sample(backbone, arm, part, measure);
      out.printf("  %16s", figure(sample));
      if (arm == Arm.WITHOUT) {
        continue;
      }
      Sample difference = comparison.difference(backbone, arm, part, measure);
      out.printf("  %10s", number("%+.4f", difference.mean()));
      if (arm == Arm.WITH) {
        out.printf("  %9s", number("%.4f", difference.tTest()));
        double relaImpr = comparison.relaImpr(backbone, arm, part);
        out.printf("  %9s", measure == Measure.AUC ? number("%+.2f %%", relaImpr) : "");
        if (comparison.seeds().size() >= Sample.LEAST_FOR_WILCOXON) {
          out.printf("  %9s", number("%.4f", difference.wilcoxon()));
        }
      }
    }
    out.println();
  }

  private static String figure(Sample sample) {
    String mean = number("%.4f", sample.mean());
    double deviation = sample.deviation();
    return Double.isFinite(deviation) ? mean + " ± " + number("%.4f", deviation) : mean;
  }

  private static String number(String format, double value) {
    return Double.isFinite(value) ? String.format(Locale.ROOT, format, value) : "-";
  }
}
