package org.llm4msr.app.report;

import java.util.ArrayList;
import java.util.List;

/** Maps values to pixels and chooses round tick marks. */
final class Axis {
  private final double low;
  private final double high;
  private final double from;
  private final double to;
  private final double step;

  /**
   * @param from pixel of {@code low}
   * @param to pixel of {@code high}; may lie before {@code from}
   * @param ticks about how many tick marks
   */
  Axis(double low, double high, double from, double to, int ticks) {
    double span = high - low;
    double margin = span > 0 ? 0.05 * span : Math.max(1e-4, 0.05 * Math.abs(low));
    this.low = low - margin;
    this.high = high + margin;
    this.from = from;
    this.to = to;
    this.step = roundStep((this.high - this.low) / ticks);
  }

  double pixel(double value) {
    return from + (value - low) / (high - low) * (to - from);
  }

  List<Double> ticks() {
    List<Double> ticks = new ArrayList<>();
    for (double k = Math.ceil(low / step); k * step <= high; k++) {
      ticks.add(k * step);
    }
    return ticks;
  }

  /** As many decimals as the step has. */
  String label(double tick) {
    int digits = (int) Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return Text.decimals(tick + 0.0, digits);
  }

  /** 1, 2 or 5 times a power of ten, at least {@code raw}. */
  private static double roundStep(double raw) {
    double power = Math.pow(10, Math.floor(Math.log10(raw)));
    for (double factor : new double[] {1, 2, 5}) {
      if (factor * power >= raw * 0.999) {
        return factor * power;
      }
    }
    return 10 * power;
  }
}
