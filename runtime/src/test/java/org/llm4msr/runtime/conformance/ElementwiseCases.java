package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.conformance.ConformanceCase.Generator;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.GluGradientOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.ScaleOp;
import org.llm4msr.runtime.op.SumToOp;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Activations, arithmetic with broadcasting, and its reverse. */
final class ElementwiseCases {
  private static final int[][] SHAPES = {{1, 1}, {3, 5}, {16, 16}, {7, 333}, {1025, 3}};

  private ElementwiseCases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    for (int[] shape : SHAPES) {
      cases.addAll(unaries(shape[0], shape[1]));
    }
    cases.addAll(broadcasts());
    return cases;
  }

  static List<ConformanceCase> benchmarks() {
    List<ConformanceCase> cases = new ArrayList<>(unaries(512, 4864));
    Dim rows = Dim.symbol("R", 4096);
    for (BinaryOp.Kind kind : BinaryOp.Kind.values()) {
      cases.add(binary(kind, dims(rows, 256), dims(rows, 256)));
      cases.add(binary(kind, dims(rows, 256), dims(256)));
    }
    cases.add(sumTo(dims(rows, 256), dims(256)));
    return cases;
  }

  private static List<ConformanceCase> unaries(int rows, int width) {
    Dim r = Dim.symbol("R", rows);
    Dim d = Dim.of(width);
    String name = rows + "x" + width;
    double elements = (double) rows * width;
    List<ConformanceCase> cases = new ArrayList<>();
    for (UnaryOp.Kind kind : UnaryOp.Kind.values()) {
      // Into the saturated ends, where a careless exp overflows.
      for (double range : new double[] {4, 120}) {
        cases.add(
            new ConformanceCase.Builder(name + " within " + range)
                .input(Data.uniform(-range, range), r, d)
                .build(new UnaryOp(kind), elements));
      }
      Generator saved =
          switch (kind) {
            case SIGMOID -> Data.uniform(0, 1);
            case TANH -> Data.uniform(-1, 1);
            case RELU, SILU, GELU, GELU_TANH -> Data.uniform(-5, 5);
          };
      cases.add(
          new ConformanceCase.Builder(name)
              .input(saved, r, d)
              .input(Data.normal(1), r, d)
              .build(new UnaryGradientOp(kind), 3 * elements));
    }
    cases.add(
        new ConformanceCase.Builder(name)
            .input(Data.normal(1), r, d)
            // Factor and offset may nearly cancel, and one element has no others beside it.
            .maxNmse(elements == 1 ? 1e-11 : ConformanceCase.DEFAULT_MAX_NMSE)
            .build(new ScaleOp(-2.5, 0.75), 2 * elements));
    for (UnaryOp.Kind activation : UnaryOp.Kind.values()) {
      cases.add(
          new ConformanceCase.Builder(name + " by " + activation)
              .input(Data.normal(4), r, d)
              .input(Data.normal(1), r, d)
              .build(new GluOp(activation), 4 * elements));
      cases.add(
          new ConformanceCase.Builder(name + " by " + activation)
              .input(Data.normal(4), r, d)
              .input(Data.normal(1), r, d)
              .input(Data.normal(1), r, d)
              // One minus the square of a TANH near 1 has few digits.
              .maxNmse(activation == UnaryOp.Kind.TANH ? 1e-9 : ConformanceCase.DEFAULT_MAX_NMSE)
              .build(new GluGradientOp(activation), 10 * elements));
    }
    return cases;
  }

  private static List<ConformanceCase> broadcasts() {
    Dim rows = Dim.symbol("R", 35);
    Dim many = Dim.symbol("R", 2100);
    List<Dim[][]> pairs =
        List.of(
            new Dim[][] {dims(), dims()},
            new Dim[][] {dims(1), dims(1)},
            new Dim[][] {dims(rows), dims(rows)},
            new Dim[][] {dims(many), dims(1)},
            new Dim[][] {dims(rows, 19), dims(rows, 19)},
            new Dim[][] {dims(rows, 19), dims(19)},
            new Dim[][] {dims(rows, 19), dims(1, 19)},
            new Dim[][] {dims(rows, 19), dims(rows, 1)},
            new Dim[][] {dims(rows, 19), dims(1)},
            new Dim[][] {dims(rows, 19), dims()},
            new Dim[][] {dims(rows, 19), dims(1, 1)},
            new Dim[][] {dims(rows, 1), dims(1, 19)},
            new Dim[][] {dims(19), dims(rows, 1)},
            new Dim[][] {dims(many, 1), dims(many, 1)},
            new Dim[][] {dims(many, 1), dims(1)},
            new Dim[][] {dims(rows, 6, 7), dims(rows, 6, 7)},
            new Dim[][] {dims(rows, 6, 7), dims(6, 7)},
            new Dim[][] {dims(rows, 6, 7), dims(7)},
            new Dim[][] {dims(rows, 6, 7), dims(6, 1)},
            new Dim[][] {dims(rows, 6, 7), dims(rows, 1, 7)},
            new Dim[][] {dims(rows, 6, 1), dims(rows, 1, 7)},
            new Dim[][] {dims(3, rows, 5, 4), dims(3, 1, 5, 1)},
            new Dim[][] {dims(3, rows, 5, 4), dims(1, rows, 1, 4)},
            new Dim[][] {dims(1, rows, 1, 4), dims(3, 1, 5, 1)},
            new Dim[][] {dims(3, 2, 5, 1100), dims(5, 1100)});
    List<ConformanceCase> cases = new ArrayList<>();
    for (Dim[][] pair : pairs) {
      for (BinaryOp.Kind kind : BinaryOp.Kind.values()) {
        cases.add(binary(kind, pair[0], pair[1]));
        cases.add(binary(kind, pair[1], pair[0]));
      }
      if (pair[0].length >= pair[1].length && !stretches(pair[0], pair[1])) {
        cases.add(sumTo(pair[0], pair[1]));
      }
    }
    return cases;
  }

  /** Whether an extent of {@code full} would be stretched by {@code other}. */
  private static boolean stretches(Dim[] full, Dim[] other) {
    for (int i = 1; i <= other.length; i++) {
      if (full[full.length - i].isOne() && !other[other.length - i].isOne()) {
        return true;
      }
    }
    return false;
  }

  private static ConformanceCase binary(BinaryOp.Kind kind, Dim[] a, Dim[] b) {
    Generator divisor = kind == BinaryOp.Kind.DIV ? Data.uniform(0.5, 2) : Data.normal(1);
    return new ConformanceCase.Builder(Arrays.toString(a) + " with " + Arrays.toString(b))
        .input(Data.normal(1), a)
        .input(divisor, b)
        .build(new BinaryOp(kind), elements(a));
  }

  private static ConformanceCase sumTo(Dim[] from, Dim[] to) {
    return new ConformanceCase.Builder(Arrays.toString(from) + " to " + Arrays.toString(to))
        .input(Data.uniform(-1, 2), from)
        .build(new SumToOp(List.of(to)), elements(from));
  }

  private static double elements(Dim[] dims) {
    return Arrays.stream(dims).mapToDouble(Dim::max).reduce(1, (a, b) -> a * b);
  }

  /** Symbols as they are, numbers as fixed extents. */
  private static Dim[] dims(Object... extents) {
    return Arrays.stream(extents)
        .map(extent -> extent instanceof Dim dim ? dim : Dim.of((Integer) extent))
        .toArray(Dim[]::new);
  }
}
