package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.conformance.ConformanceCase.Generator;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.BlockInt8MatMulOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Products of weights in blocks with activations in blocks of 8 bits. */
final class BlockInt8Cases {
  private static final DType[] TYPES = {DType.Q8_0, DType.Q4_0, DType.Q4_K, DType.Q6_K};

  /** M, blocks of K, N: around tiles of three and seven rows and panels of 8, 16 and 32 columns. */
  private static final int[][] SHAPES = {
    {1, 1, 1},
    {2, 1, 7},
    {3, 2, 8},
    {4, 3, 33},
    {6, 1, 16},
    {7, 2, 15},
    {8, 1, 32},
    {22, 3, 31},
    {1, 5, 259},
    {67, 2, 97},
    {130, 1, 65},
    {4, 0, 5},
    {5, 2, 0},
    {3, 17, 70}
  };

  private BlockInt8Cases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    BlockInt8MatMulOp plain = new BlockInt8MatMulOp(false, false, null);
    BlockInt8MatMulOp fused = new BlockInt8MatMulOp(true, true, UnaryOp.Kind.SILU);
    for (DType type : TYPES) {
      for (int[] shape : SHAPES) {
        cases.add(matmul(plain, type, Data.normal(1), "", shape));
        cases.add(matmul(fused, type, Data.normal(1), "", shape));
      }
      cases.add(matmul(plain, type, Data.normal(1), "", 5, 4864 / type.blockSize(), 40));
      cases.add(matmul(plain, type, all(-3), " all alike", 23, 2, 37));
      cases.add(matmul(plain, type, all(0), " zeros", 15, 2, 33));
      cases.add(matmul(plain, type, all(1e-40), " tiny", 15, 2, 33));
    }
    for (boolean bias : new boolean[] {false, true}) {
      for (boolean residual : new boolean[] {false, true}) {
        for (UnaryOp.Kind activation : UnaryOp.Kind.values()) {
          BlockInt8MatMulOp op = new BlockInt8MatMulOp(bias, residual, activation);
          cases.add(matmul(op, DType.Q8_0, Data.normal(1), "", 19, 3, 35));
        }
      }
    }
    return cases;
  }

  private static Generator all(double value) {
    return (random, type, extents) ->
        DoubleStream.generate(() -> value).limit(extents.shape(type).elements()).toArray();
  }

  private static ConformanceCase matmul(
      BlockInt8MatMulOp op, DType type, Generator data, String what, int... shape) {
    int k = shape[1] * type.blockSize();
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            shape[0]
                + "x"
                + k
                + "x"
                + shape[2]
                + (op.hasBias() ? " bias" : "")
                + (op.hasResidual() ? " residual" : "")
                + (op.activation() == null ? "" : " " + op.activation())
                + " B "
                + type
                + what);
    Dim rows = Dim.symbol("M", shape[0]);
    Dim inner = Dim.of(k);
    Dim cols = Dim.of(shape[2]);
    builder.input(data, rows, inner);
    builder.input(type, Data.normal(1), cols, inner);
    if (op.hasBias()) {
      builder.input(Data.normal(1), cols);
    }
    if (op.hasResidual()) {
      builder.input(Data.normal(1), rows, cols);
    }
    return builder.build(op, 2.0 * shape[0] * k * shape[2]);
  }
}
