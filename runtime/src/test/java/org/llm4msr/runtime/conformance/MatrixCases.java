package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.conformance.Data.Split;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.GroupedSumOp;
import org.llm4msr.runtime.op.GroupedWeightGradientOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.UnaryOp;

/** Matrix products, plain and grouped. */
final class MatrixCases {
  /** M, K, N around the register tiles and cache blocks of usual kernels, and degenerate ones. */
  private static final int[][] SHAPES = {
    {1, 1, 1},
    {1, 7, 1},
    {1, 64, 33},
    {5, 3, 2},
    {6, 16, 16},
    {7, 17, 15},
    {31, 1, 37},
    {13, 129, 8},
    {64, 64, 64},
    {67, 131, 97},
    {3, 300, 259},
    {130, 257, 65},
    {4, 0, 5}
  };

  /** Rows, inner extent, columns, groups. */
  private static final int[][] GROUPED = {
    {1, 1, 1, 1},
    {1, 5, 3, 4},
    {17, 8, 16, 3},
    {40, 13, 7, 11},
    {64, 32, 64, 64},
    {200, 33, 17, 5},
    {97, 64, 1, 90},
    {300, 48, 70, 2}
  };

  private MatrixCases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    for (int[] shape : SHAPES) {
      for (boolean transposeA : new boolean[] {false, true}) {
        for (boolean transposeB : new boolean[] {false, true}) {
          MatMulOp op = new MatMulOp(transposeA, transposeB, false, false, null);
          cases.add(matmul(op, DType.F32, shape[0], shape[1], shape[2]));
        }
      }
    }
    int[][] epilogueShapes = {{1, 9, 1}, {19, 70, 35}, {65, 130, 66}, {2, 0, 3}};
    for (int[] shape : epilogueShapes) {
      for (boolean bias : new boolean[] {false, true}) {
        for (boolean residual : new boolean[] {false, true}) {
          for (UnaryOp.Kind activation : activations()) {
            MatMulOp op = new MatMulOp(false, true, bias, residual, activation);
            cases.add(matmul(op, DType.F32, shape[0], shape[1], shape[2]));
          }
        }
      }
    }
    cases.add(
        matmul(new MatMulOp(true, false, true, true, UnaryOp.Kind.RELU), DType.F32, 33, 66, 9));
    // Few rows or columns of a long product, which are not packed.
    MatMulOp gradient = new MatMulOp(true, false, false, false, null);
    cases.add(matmul(gradient, DType.F32, 29, 300, 531));
    cases.add(matmul(gradient, DType.F32, 531, 300, 29));
    cases.add(
        matmul(new MatMulOp(false, true, true, true, UnaryOp.Kind.SILU), DType.F32, 85, 4700, 19));
    for (DType narrow : new DType[] {DType.BF16, DType.F16}) {
      for (int[] shape : new int[][] {{1, 1, 1}, {1, 257, 70}, {7, 33, 19}, {66, 140, 130}}) {
        for (boolean transposeB : new boolean[] {false, true}) {
          MatMulOp op = new MatMulOp(false, transposeB, false, false, null);
          cases.add(matmul(op, narrow, shape[0], shape[1], shape[2]));
        }
        MatMulOp fused = new MatMulOp(false, true, true, true, UnaryOp.Kind.SILU);
        cases.add(matmul(fused, narrow, shape[0], shape[1], shape[2]));
      }
    }
    for (DType quantised : DType.values()) {
      if (quantised.isQuantised()) {
        int block = quantised.blockSize();
        MatMulOp plain = new MatMulOp(false, true, false, false, null);
        MatMulOp fused = new MatMulOp(false, true, true, true, UnaryOp.Kind.SILU);
        cases.add(matmul(plain, quantised, 1, block, 33));
        cases.add(matmul(fused, quantised, 7, 768, 19));
        cases.add(matmul(plain, quantised, 33, 3 * block, 5));
        cases.add(matmul(fused, quantised, 66, 1280, 131));
      }
    }
    cases.add(matmul(new MatMulOp(false, true, false, false, null), DType.F32, 96, 896, 640));
    // Of few tiles, along a long inner extent.
    cases.add(matmul(new MatMulOp(true, false, false, false, null), DType.F32, 70, 1500, 9));
    cases.add(
        matmul(new MatMulOp(false, true, true, true, UnaryOp.Kind.RELU), DType.F32, 5, 2003, 66));
    cases.add(matmul(new MatMulOp(false, false, true, false, null), DType.BF16, 3, 700, 11));
    for (int[] shape : GROUPED) {
      for (boolean transposeW : new boolean[] {false, true}) {
        for (Split split : Split.values()) {
          cases.add(grouped(new GroupedMatMulOp(transposeW, false, null), split, shape));
          cases.add(weightGradient(transposeW, split, shape));
        }
        for (UnaryOp.Kind activation : activations()) {
          cases.add(
              grouped(new GroupedMatMulOp(transposeW, true, activation), Split.RAGGED, shape));
        }
      }
      for (boolean mean : new boolean[] {false, true}) {
        cases.add(sum(mean, Split.RAGGED, shape));
        cases.add(sum(mean, Split.ONE_HUGE, shape));
      }
    }
    return cases;
  }

  /** The feed-forward product of a small LLM, and STAR's towers. */
  static List<ConformanceCase> benchmarks() {
    MatMulOp linear = new MatMulOp(false, true, false, false, null);
    List<ConformanceCase> cases = new ArrayList<>();
    for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
      for (int m : new int[] {1, 128, 512}) {
        cases.add(matmul(linear, dtype, m, 896, 4864));
      }
    }
    int[] tower = {4096, 256, 128, 3};
    int[] metaLayer = {4096, 64, 64, 1200};
    for (int[] shape : new int[][] {tower, metaLayer}) {
      GroupedMatMulOp forward = new GroupedMatMulOp(false, true, UnaryOp.Kind.RELU);
      cases.add(grouped(forward, Split.EVEN, shape));
      cases.add(grouped(new GroupedMatMulOp(true, false, null), Split.EVEN, shape));
      cases.add(weightGradient(false, Split.EVEN, shape));
    }
    return cases;
  }

  private static List<UnaryOp.Kind> activations() {
    List<UnaryOp.Kind> kinds = new ArrayList<>(List.of(UnaryOp.Kind.values()));
    kinds.add(null);
    return kinds;
  }

  private static ConformanceCase matmul(MatMulOp op, DType dtypeB, int m, int k, int n) {
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            m
                + "x"
                + k
                + "x"
                + n
                + (op.transposeA() ? " A transposed" : "")
                + (op.transposeB() ? " B transposed" : "")
                + (op.hasBias() ? " bias" : "")
                + (op.hasResidual() ? " residual" : "")
                + named(op.activation())
                + (dtypeB == DType.F32 ? "" : " B " + dtypeB));
    Dim rows = Dim.symbol("M", m);
    // When A is transposed, as in a weight gradient, it is the inner extent that varies.
    Dim rowsOfC = op.transposeA() ? Dim.of(m) : rows;
    Dim inner = op.transposeA() ? Dim.symbol("K", k) : Dim.of(k);
    Dim cols = Dim.of(n);
    if (op.transposeA()) {
      builder.input(Data.normal(1), inner, rowsOfC);
    } else {
      builder.input(Data.normal(1), rowsOfC, inner);
    }
    if (op.transposeB()) {
      builder.input(dtypeB, Data.normal(0.5), cols, inner);
    } else {
      builder.input(dtypeB, Data.normal(0.5), inner, cols);
    }
    if (op.hasBias()) {
      builder.input(Data.normal(1), cols);
    }
    if (op.hasResidual()) {
      builder.input(Data.normal(1), rowsOfC, cols);
    }
    // A sum of a few products may nearly cancel, and a single one has no others beside it. In a
    // plain sum of floats, as the portable kernels take, the error grows with their number.
    builder.maxNmse(m * n == 1 || k > 4096 ? 1e-11 : ConformanceCase.DEFAULT_MAX_NMSE);
    return builder.build(op, 2.0 * m * k * n);
  }

  private static ConformanceCase grouped(GroupedMatMulOp op, Split split, int... shape) {
    Dim rows = Dim.symbol("R", shape[0]);
    Dim groups = groups(shape[3]);
    Dim inner = Dim.of(shape[1]);
    Dim cols = Dim.of(shape[2]);
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            describe(split, shape)
                + (op.transposeW() ? " W transposed" : "")
                + (op.hasBias() ? " bias" : "")
                + named(op.activation()));
    builder.input(Data.normal(1), rows, inner);
    if (op.transposeW()) {
      builder.input(Data.normal(0.5), groups, cols, inner);
    } else {
      builder.input(Data.normal(0.5), groups, inner, cols);
    }
    builder.grouping(rows, groups, split);
    if (op.hasBias()) {
      builder.input(Data.normal(1), groups, cols);
    }
    return builder.build(op, 2.0 * shape[0] * shape[1] * shape[2]);
  }

  private static ConformanceCase weightGradient(boolean transposeW, Split split, int... shape) {
    Dim rows = Dim.symbol("R", shape[0]);
    Dim groups = groups(shape[3]);
    Op op = new GroupedWeightGradientOp(transposeW, groups);
    return new ConformanceCase.Builder(describe(split, shape) + (transposeW ? " W transposed" : ""))
        .input(Data.normal(1), rows, Dim.of(shape[1]))
        .input(Data.normal(1), rows, Dim.of(shape[2]))
        .grouping(rows, groups, split)
        .build(op, 2.0 * shape[0] * shape[1] * shape[2]);
  }

  private static ConformanceCase sum(boolean mean, Split split, int... shape) {
    Dim rows = Dim.symbol("R", shape[0]);
    Dim groups = groups(shape[3]);
    return new ConformanceCase.Builder(describe(split, shape[0], shape[1], 0, shape[3]))
        .input(Data.normal(1), rows, Dim.of(shape[1]))
        .grouping(rows, groups, split)
        .build(new GroupedSumOp(groups, mean), (double) shape[0] * shape[1]);
  }

  /** Few groups are a fixed number of scenarios, many are a varying number of users. */
  private static Dim groups(int count) {
    return count <= 5 ? Dim.of(count) : Dim.symbol("G", count);
  }

  private static String describe(Split split, int... shape) {
    return shape[0]
        + "x"
        + shape[1]
        + (shape[2] == 0 ? "" : "x" + shape[2])
        + " in "
        + shape[3]
        + " groups "
        + split.name().toLowerCase(java.util.Locale.ROOT);
  }

  private static String named(UnaryOp.Kind activation) {
    return activation == null ? "" : " " + new UnaryOp(activation).name();
  }
}
