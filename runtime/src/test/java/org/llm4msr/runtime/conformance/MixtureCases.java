package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.AttentionPoolingGradientOp;
import org.llm4msr.runtime.op.AttentionPoolingOp;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;
import org.llm4msr.runtime.op.MatVecOp;
import org.llm4msr.runtime.op.MixtureGradientOp;
import org.llm4msr.runtime.op.MixtureOp;
import org.llm4msr.runtime.op.OuterProductOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Experts side by side, and mixtures of them; lists that a query attends to. */
final class MixtureCases {
  /** Rows, blocks, inner extent, width. */
  private static final int[][] SHAPES = {
    {1, 1, 1, 1}, {1, 3, 7, 1}, {17, 1, 33, 16}, {40, 4, 13, 9}, {129, 3, 64, 32}, {300, 7, 5, 70}
  };

  private MixtureCases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    for (int[] shape : SHAPES) {
      for (boolean transposeW : new boolean[] {false, true}) {
        cases.add(matmul(new BlockMatMulOp(transposeW, false, null, false), shape));
        cases.add(matmul(new BlockMatMulOp(transposeW, true, UnaryOp.Kind.RELU, false), shape));
        cases.add(matmul(new BlockMatMulOp(transposeW, false, null, true), shape));
        cases.add(matmul(new BlockMatMulOp(transposeW, true, UnaryOp.Kind.TANH, true), shape));
        cases.add(weightGradient(transposeW, false, shape));
      }
      cases.add(weightGradient(true, true, shape));
      cases.addAll(mixtures(shape[0], shape[1], shape[3]));
      cases.addAll(rowProducts(shape[0], shape[2], shape[3]));
      cases.addAll(attentionPoolings(shape[0], shape[2], shape[3]));
    }
    return cases;
  }

  /** Four experts of MMoE, layers of rank 32, and histories of twenty items. */
  static List<ConformanceCase> benchmarks() {
    int[] experts = {4096, 4, 256, 128};
    List<ConformanceCase> cases = new ArrayList<>(mixtures(4096, 4, 128));
    cases.addAll(rowProducts(512, 16, 32));
    cases.addAll(attentionPoolings(4096, 20, 16));
    cases.add(matmul(new BlockMatMulOp(true, true, UnaryOp.Kind.RELU, false), experts));
    cases.add(weightGradient(true, true, experts));
    return cases;
  }

  private static ConformanceCase matmul(BlockMatMulOp op, int... shape) {
    Dim rows = Dim.symbol("R", shape[0]);
    Dim groups = Dim.of(shape[1]);
    Dim inner = Dim.of(shape[2]);
    Dim width = Dim.of(shape[3]);
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            describe(shape)
                + (op.transposeW() ? " W transposed" : "")
                + (op.hasBias() ? " bias" : "")
                + (op.gated() ? " gated" : ""));
    builder.input(Data.normal(1), rows, Dim.of((long) shape[1] * shape[2]));
    if (op.transposeW()) {
      builder.input(Data.normal(0.5), groups, width, inner);
    } else {
      builder.input(Data.normal(0.5), groups, inner, width);
    }
    if (op.hasBias()) {
      builder.input(Data.normal(1), groups, width);
    }
    if (op.gated()) {
      builder.input(Data.normal(1), rows, Dim.of((long) shape[1] * shape[3]));
    }
    return builder.build(op, flops(shape));
  }

  private static ConformanceCase weightGradient(
      boolean transposeW, boolean withBias, int... shape) {
    Dim rows = Dim.symbol("R", shape[0]);
    return new ConformanceCase.Builder(
            describe(shape) + (transposeW ? " W transposed" : "") + (withBias ? " bias" : ""))
        .input(Data.normal(1), rows, Dim.of((long) shape[1] * shape[2]))
        .input(Data.normal(1), rows, Dim.of((long) shape[1] * shape[3]))
        .build(new BlockWeightGradientOp(transposeW, shape[1], withBias), flops(shape));
  }

  private static List<ConformanceCase> mixtures(int rows, int blocks, int width) {
    Dim r = Dim.symbol("R", rows);
    Dim k = Dim.of(blocks);
    Dim all = Dim.of((long) blocks * width);
    String name = rows + " rows, " + blocks + " blocks of " + width;
    double flops = 2.0 * rows * blocks * width;
    Dim parts = Dim.of(blocks + 3L);
    Dim two = Dim.of(2L * width);
    Dim one = Dim.of(width);
    return List.of(
        new ConformanceCase.Builder(name + ", then two and one")
            .input(Data.normal(1), r, parts)
            .input(Data.normal(1), r, all)
            .input(Data.normal(1), r, two)
            .input(Data.normal(1), r, one)
            .build(new MixtureOp(), flops),
        new ConformanceCase.Builder(name + ", then two and one")
            .input(Data.normal(1), r, parts)
            .input(Data.normal(1), r, all)
            .input(Data.normal(1), r, two)
            .input(Data.normal(1), r, one)
            .input(Data.normal(1), r, one)
            .build(new MixtureGradientOp(), 2 * flops),
        new ConformanceCase.Builder(name)
            .input(Data.normal(1), r, k)
            .input(Data.normal(1), r, all)
            .build(new MixtureOp(), flops),
        new ConformanceCase.Builder(name)
            .input(Data.normal(1), r, k)
            .input(Data.normal(1), r, all)
            .input(Data.normal(1), r, one)
            .build(new MixtureGradientOp(), 2 * flops));
  }

  private static List<ConformanceCase> rowProducts(int rows, int height, int width) {
    Dim r = Dim.symbol("R", rows);
    Dim h = Dim.of(height);
    Dim w = Dim.of(width);
    String name = rows + " rows, " + height + "x" + width;
    double flops = 2.0 * rows * height * width;
    return List.of(
        new ConformanceCase.Builder(name)
            .input(Data.normal(1), r, Dim.of((long) height * width))
            .input(Data.normal(1), r, w)
            .build(new MatVecOp(), flops),
        new ConformanceCase.Builder(name)
            .input(Data.normal(1), r, h)
            .input(Data.normal(1), r, w)
            .build(new OuterProductOp(), flops / 2));
  }

  private static List<ConformanceCase> attentionPoolings(int rows, int length, int width) {
    Dim r = Dim.symbol("R", rows);
    Dim l = Dim.of(length);
    Dim d = Dim.of(width);
    Dim all = Dim.of((long) length * width);
    String name = rows + " rows, lists of " + length + " elements of " + width;
    double flops = 4.0 * rows * length * width;
    return List.of(
        new ConformanceCase.Builder(name)
            .input(Data.normal(1), r, d)
            .input(Data.normal(1), r, all)
            .input(Data.labels(), r, l)
            .build(new AttentionPoolingOp(), flops),
        new ConformanceCase.Builder(name)
            .input(Data.normal(1), r, d)
            .input(Data.normal(1), r, all)
            .input(Data.uniform(0, 1), r, l)
            .input(Data.normal(1), r, d)
            .input(Data.normal(1), r, d)
            .build(new AttentionPoolingGradientOp(), 2 * flops));
  }

  private static double flops(int... shape) {
    return 2.0 * shape[0] * shape[1] * shape[2] * shape[3];
  }

  private static String describe(int... shape) {
    return shape[0] + " rows, " + shape[1] + " blocks " + shape[2] + "x" + shape[3];
  }
}
