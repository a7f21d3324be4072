package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.BceWithLogitsGradientOp;
import org.llm4msr.runtime.op.BceWithLogitsOp;
import org.llm4msr.runtime.op.ClipFactorOp;
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.SparseAdamOp;

/** Losses and optimisers. */
final class TrainingCases {
  private TrainingCases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    for (int batch : new int[] {1, 7, 64, 1001}) {
      for (int rank = 1; rank <= 2; rank++) {
        for (boolean weighted : new boolean[] {false, true}) {
          for (double range : new double[] {3, 150}) {
            cases.add(bce(weighted, rank, batch, range));
            cases.add(bceGradient(weighted, rank, batch, range));
          }
        }
      }
    }
    for (int rows : new int[] {1, 33, 700}) {
      for (double rate : new double[] {0.1, 0.5}) {
        cases.add(dropout(rate, rows, 37));
      }
      for (double maxNorm : new double[] {0.5, 1e6}) {
        cases.add(clip(maxNorm, rows, 29));
      }
    }
    for (double weightDecay : new double[] {0, 0.01}) {
      for (long step : new long[] {1, 3, 10_000}) {
        cases.add(adam(weightDecay, step, 1, 1));
        cases.add(adam(weightDecay, step, 37, 29));
        for (boolean lazy : new boolean[] {false, true}) {
          cases.add(sparseAdam(lazy, weightDecay, step, 1, 1, 1, 1));
          cases.add(sparseAdam(lazy, weightDecay, step, 0, 3, 10, 4));
          cases.add(sparseAdam(lazy, weightDecay, step, 12, 40, 50, 16));
          cases.add(sparseAdam(lazy, weightDecay, step, 20, 20, 20, 7));
          cases.add(sparseAdam(lazy, weightDecay, step, 150, 200, 1000, 33));
        }
      }
    }
    return cases;
  }

  static List<ConformanceCase> benchmarks() {
    return List.of(
        bce(true, 1, 4096, 3),
        adam(1e-5, 100, 1024, 256),
        sparseAdam(false, 1e-5, 100, 3000, 4096, 6000, 16),
        sparseAdam(true, 1e-5, 100, 3000, 4096, 6000, 16));
  }

  private static ConformanceCase.Builder loss(boolean weighted, int rank, int batch, double range) {
    Dim b = Dim.symbol("B", batch);
    Dim[] logits = rank == 1 ? new Dim[] {b} : new Dim[] {b, Dim.of(1)};
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            batch + " of rank " + rank + " within " + range + (weighted ? " weighted" : ""));
    builder.input(Data.uniform(-range, range), logits).input(Data.labels(), b);
    return weighted ? builder.input(Data.uniform(0, 2), b) : builder;
  }

  private static ConformanceCase bce(boolean weighted, int rank, int batch, double range) {
    return loss(weighted, rank, batch, range).build(new BceWithLogitsOp(weighted), 10.0 * batch);
  }

  private static ConformanceCase bceGradient(boolean weighted, int rank, int batch, double range) {
    return loss(weighted, rank, batch, range)
        .input(Data.constant(1.5), Dim.of(1))
        .build(new BceWithLogitsGradientOp(weighted), 6.0 * batch);
  }

  private static ConformanceCase dropout(double rate, int rows, int width) {
    return new ConformanceCase.Builder(rows + "x" + width + " rate " + rate)
        .input(Data.normal(1), Dim.symbol("R", rows), Dim.of(width))
        .input(DType.F64, Data.constant(0.1, 12), Dim.of(2))
        .build(new DropoutOp(rate, 3), 8.0 * rows * width);
  }

  /** Two dense gradients around a sparse one, of which some rows do not count. */
  private static ConformanceCase clip(double maxNorm, int rows, int width) {
    return new ConformanceCase.Builder(rows + "x" + width + " to " + maxNorm)
        .input(Data.normal(1), Dim.of(rows), Dim.of(width))
        .input(DType.I32, Data.constant(rows / 2), Dim.of(1))
        .input(Data.normal(1), Dim.of(rows), Dim.of(width))
        .input(Data.normal(1), Dim.of(width))
        .build(new ClipFactorOp(maxNorm), 6.0 * rows * width);
  }

  /** Parameters are small beside the step, so that a wrong step shows. */
  private static ConformanceCase.Builder state(String name, Dim rows, Dim width) {
    return new ConformanceCase.Builder(name)
        .input(Data.normal(0.01), rows, width)
        .input(Data.normal(0.1), rows, width)
        .input(Data.uniform(0, 0.02), rows, width);
  }

  private static ConformanceCase adam(double weightDecay, long step, int rows, int width) {
    Dim r = Dim.of(rows);
    Dim d = Dim.of(width);
    String name = rows + "x" + width + " decay " + weightDecay + " step " + step;
    return state(name, r, d)
        .input(Data.normal(0.1), r, d)
        .input(DType.F64, Data.constant(0.05, step), Dim.of(2))
        .build(new AdamOp(0.9, 0.999, 1e-8, weightDecay), 15.0 * rows * width);
  }

  private static ConformanceCase sparseAdam(
      boolean lazy, double weightDecay, long step, int count, int most, int size, int width) {
    Dim d = Dim.of(width);
    Dim n = Dim.of(most);
    String name = count + " of " + size + "x" + width + " decay " + weightDecay + " step " + step;
    return state(name, Dim.of(size), d)
        .input(DType.I32, Data.sparseRows(count, size), n)
        .input(DType.I32, Data.constant(count), Dim.of(1))
        .input(Data.sparseValues(count), n, d)
        .input(DType.F64, Data.constant(0.05, step), Dim.of(2))
        // A single parameter may land near 0, where its error is that of the much larger step.
        .maxNmse(size * width == 1 ? 1e-11 : ConformanceCase.DEFAULT_MAX_NMSE)
        .build(
            new SparseAdamOp(0.9, 0.999, 1e-8, weightDecay, lazy),
            15.0 * width * (lazy ? count : size));
  }
}
