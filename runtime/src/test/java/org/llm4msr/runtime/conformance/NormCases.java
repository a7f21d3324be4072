package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.conformance.Data.Split;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.GroupedBatchNormGradientOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.LayerNormGradientOp;
import org.llm4msr.runtime.op.LayerNormOp;
import org.llm4msr.runtime.op.RmsNormGradientOp;
import org.llm4msr.runtime.op.RmsNormOp;
import org.llm4msr.runtime.op.SoftmaxGradientOp;
import org.llm4msr.runtime.op.SoftmaxOp;

/** Normalisations and softmax. */
final class NormCases {
  private static final int[][] SHAPES = {
    {1, 1}, {1, 7}, {5, 8}, {3, 16}, {17, 33}, {128, 64}, {7, 1000}, {301, 19}
  };

  /** Rows, width, groups. */
  private static final int[][] GROUPED = {
    {1, 1, 1}, {2, 5, 1}, {3, 8, 5}, {40, 17, 3}, {129, 64, 4}, {300, 9, 70}
  };

  private NormCases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    for (int[] shape : SHAPES) {
      cases.addAll(rowwise(shape[0], shape[1]));
    }
    for (int[] shape : GROUPED) {
      for (Split split : Split.values()) {
        for (boolean training : new boolean[] {true, false}) {
          cases.addAll(batchNorm(training, split, shape));
        }
      }
    }
    return cases;
  }

  static List<ConformanceCase> benchmarks() {
    List<ConformanceCase> cases = new ArrayList<>(rowwise(512, 896));
    cases.addAll(batchNorm(true, Split.EVEN, 4096, 256, 3));
    return cases;
  }

  private static List<ConformanceCase> rowwise(int rows, int width) {
    Dim r = Dim.symbol("R", rows);
    Dim d = Dim.of(width);
    String name = rows + "x" + width;
    double elements = (double) rows * width;
    List<ConformanceCase> cases = new ArrayList<>();
    // A single column is always at its mean: dx is 0 but for rounding.
    if (width > 1) {
      cases.add(
          new ConformanceCase.Builder(name)
              .input(Data.normal(2), r, d)
              .input(Data.normal(1), d)
              .input(Data.normal(1), r, d)
              .maxNmse(1e-11)
              .build(new LayerNormGradientOp(width < 8 ? 0.1 : 1e-5), 12 * elements));
    }
    cases.addAll(
        List.of(
            new ConformanceCase.Builder(name)
                .input(Data.normal(2), r, d)
                .input(Data.normal(1), d)
                .build(new RmsNormOp(1e-6), 4 * elements),
            // Mean square and epsilon alike: epsilon counts.
            new ConformanceCase.Builder(name + " tiny")
                .input(Data.normal(3e-3), r, d)
                .input(Data.normal(1), d)
                .build(new RmsNormOp(1e-5), 4 * elements),
            new ConformanceCase.Builder(name)
                .input(Data.normal(2), r, d)
                .input(Data.normal(1), d)
                .input(Data.normal(1), r, d)
                .maxNmse(elements == 1 ? 1e-10 : 1e-11)
                // In one column all but epsilon's share of dx cancels: a small one would leave
                // noise.
                .build(new RmsNormGradientOp(width == 1 ? 0.1 : 1e-6), 9 * elements),
            new ConformanceCase.Builder(name + " in three heads")
                .input(Data.normal(2), r, Dim.of(3), d)
                .input(Data.normal(1), d)
                .build(new RmsNormOp(1e-6), 12 * elements),
            new ConformanceCase.Builder(name + " in three heads")
                .input(Data.normal(2), r, Dim.of(3), d)
                .input(Data.normal(1), d)
                .input(Data.normal(1), r, Dim.of(3), d)
                .maxNmse(1e-11)
                .build(new RmsNormGradientOp(width == 1 ? 0.1 : 1e-6), 27 * elements),
            // Far from 0: the variance must not cancel.
            new ConformanceCase.Builder(name + " around 5")
                .input(Data.uniform(4, 6), r, d)
                .input(Data.normal(1), d)
                .input(Data.normal(1), d)
                .maxNmse(1e-11)
                .build(new LayerNormOp(1e-3), 6 * elements),
            new ConformanceCase.Builder(name)
                .input(Data.normal(3), r, d)
                .build(new SoftmaxOp(), 5 * elements),
            // Without the shift by the maximum these overflow.
            new ConformanceCase.Builder(name + " of large numbers")
                .input(Data.uniform(900, 1000), r, d)
                .build(new SoftmaxOp(), 5 * elements),
            new ConformanceCase.Builder(name)
                .input(Data.uniform(0, 1), r, d)
                .input(Data.normal(1), r, d)
                .maxNmse(1e-11)
                .build(new SoftmaxGradientOp(), 4 * elements)));
    return cases;
  }

  private static List<ConformanceCase> batchNorm(boolean training, Split split, int... shape) {
    Dim r = Dim.symbol("R", shape[0]);
    Dim d = Dim.of(shape[1]);
    Dim g = shape[2] <= 5 ? Dim.of(shape[2]) : Dim.symbol("G", shape[2]);
    String name =
        shape[0]
            + "x"
            + shape[1]
            + " in "
            + shape[2]
            + " groups "
            + split.name().toLowerCase(java.util.Locale.ROOT)
            + (training ? " training" : " evaluation");
    double elements = (double) shape[0] * shape[1];
    ConformanceCase forward =
        new ConformanceCase.Builder(name)
            .input(Data.uniform(-1, 3), r, d)
            .grouping(r, g, split)
            .input(Data.normal(1), g, d)
            .input(Data.normal(1), g, d)
            .input(Data.normal(1), g, d)
            .input(Data.uniform(0.5, 2), g, d)
            .maxNmse(1e-11)
            .build(new GroupedBatchNormOp(1e-5, 0.1, training), 6 * elements);
    ConformanceCase gradient =
        new ConformanceCase.Builder(name)
            .input(Data.uniform(-1, 3), r, d)
            .grouping(r, g, split)
            .input(Data.normal(1), g, d)
            .input(Data.normal(1), g, d)
            .input(Data.uniform(0.5, 2), g, d)
            .input(Data.normal(1), r, d)
            .maxNmse(1e-11)
            .build(new GroupedBatchNormGradientOp(training), 9 * elements);
    return List.of(forward, gradient);
  }
}
