package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.conformance.ConformanceCase.Generator;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.Int8MatMulOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Products of 8-bit integers. */
final class Int8Cases {
  /** M, K, N around register tiles, groups of two and four values of K, and nothing at all. */
  private static final int[][] SHAPES = {
    {1, 1, 1},
    {1, 2, 7},
    {1, 64, 33},
    {2, 3, 5},
    {6, 16, 16},
    {7, 17, 15},
    {14, 5, 32},
    {29, 131, 31},
    {31, 1, 37},
    {3, 300, 259},
    {67, 127, 97},
    {130, 257, 65},
    {211, 64, 101},
    {4, 0, 5},
    {5, 6, 0},
    {9, 4099, 3}
  };

  private Int8Cases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    for (int[] shape : SHAPES) {
      for (boolean transposeB : new boolean[] {false, true}) {
        Int8MatMulOp op = new Int8MatMulOp(transposeB, false, false, null);
        cases.add(matmul(op, DType.F32, Data.normal(1), "", shape));
      }
      Int8MatMulOp fused = new Int8MatMulOp(true, true, true, UnaryOp.Kind.SILU);
      cases.add(matmul(fused, DType.F32, Data.normal(1), "", shape));
    }
    for (boolean bias : new boolean[] {false, true}) {
      for (boolean residual : new boolean[] {false, true}) {
        for (UnaryOp.Kind activation : UnaryOp.Kind.values()) {
          Int8MatMulOp op = new Int8MatMulOp(true, bias, residual, activation);
          cases.add(matmul(op, DType.F32, Data.normal(1), "", 19, 70, 35));
        }
      }
    }
    Int8MatMulOp plain = new Int8MatMulOp(true, false, false, null);
    for (DType stored : DType.values()) {
      if (stored == DType.BF16 || stored == DType.F16 || stored.isQuantised()) {
        cases.add(matmul(plain, stored, Data.normal(1), "", 17, 3 * stored.blockSize(), 41));
        cases.add(matmul(plain, stored, Data.normal(1), "", 5, 1280, 19));
      }
    }
    for (boolean transposeB : new boolean[] {false, true}) {
      Int8MatMulOp op = new Int8MatMulOp(transposeB, false, false, null);
      cases.add(matmul(op, DType.F16, Data.normal(1), "", 7, 33, 19));
      // Every product as large as it can be: saturating arithmetic would show.
      cases.add(matmul(op, DType.F32, all(-3), " all alike", 23, 515, 37));
    }
    cases.add(matmul(plain, DType.F32, all(0), " zeros", 15, 70, 33));
    cases.add(matmul(plain, DType.F32, all(1e-38), " tiny", 15, 70, 33));
    return cases;
  }

  private static Generator all(double value) {
    return (random, type, extents) ->
        DoubleStream.generate(() -> value).limit(extents.shape(type).elements()).toArray();
  }

  private static ConformanceCase matmul(
      Int8MatMulOp op, DType dtypeB, Generator data, String what, int... shape) {
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            shape[0]
                + "x"
                + shape[1]
                + "x"
                + shape[2]
                + (op.transposeB() ? " B transposed" : "")
                + (op.hasBias() ? " bias" : "")
                + (op.hasResidual() ? " residual" : "")
                + (op.activation() == null ? "" : " " + op.activation())
                + (dtypeB == DType.F32 ? "" : " B " + dtypeB)
                + what);
    Dim rows = Dim.symbol("M", shape[0]);
    Dim inner = Dim.of(shape[1]);
    Dim cols = Dim.of(shape[2]);
    builder.input(data, rows, inner);
    builder.input(dtypeB, data, op.transposeB() ? cols : inner, op.transposeB() ? inner : cols);
    if (op.hasBias()) {
      builder.input(Data.normal(1), cols);
    }
    if (op.hasResidual()) {
      builder.input(Data.normal(1), rows, cols);
    }
    return builder.build(op, 2.0 * shape[0] * shape[1] * shape[2]);
  }
}
