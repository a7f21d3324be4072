package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.conformance.Data.Split;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.AddRmsNormOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.AttentionOp.Mask;
import org.llm4msr.runtime.op.BlockWeightGradientOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.GatedMatMulOp;
import org.llm4msr.runtime.op.GatheredMatMulOp;
import org.llm4msr.runtime.op.GatheredWeightGradientOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MatMulsOp;
import org.llm4msr.runtime.op.RowAttentionOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/** What backends may do at once; each runs those cases that it would fuse. */
final class FusedCases {
  private FusedCases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    for (DType weights : new DType[] {DType.BF16, DType.Q8_0, DType.Q4_0}) {
      cases.add(gated(UnaryOp.Kind.SILU, weights, 1, 32, 40));
      cases.add(gated(UnaryOp.Kind.GELU_TANH, weights, 35, 96, 70));
      cases.add(gated(UnaryOp.Kind.SILU, weights, 140, 64, 131));
      cases.add(products(weights, 1, 32, 5, 3));
      cases.add(products(weights, 67, 96, 130, 17, 17));
    }
    cases.add(gated(UnaryOp.Kind.SILU, DType.BF16, 19, 41, 66));
    cases.add(products(DType.BF16, 9, 41, 12, 4));
    for (int[] shape : new int[][] {{1, 1}, {5, 8}, {17, 33}, {128, 64}, {7, 1000}}) {
      cases.add(addRmsNorm(shape[0], shape[1]));
    }
    for (Mask mask : List.of(Mask.causal(), new Mask(9, 0, 0))) {
      cases.add(rowAttention(false, mask, 1, 1, 1, 1, 1));
      cases.add(rowAttention(false, mask, 30, 3, 4, 2, 16));
      cases.add(rowAttention(false, mask, 90, 7, 2, 1, 80));
      cases.add(rowAttention(true, mask, 70, 5, 4, 2, 64));
      cases.add(rowAttention(true, mask, 130, 2, 2, 1, 128));
    }
    for (boolean lazy : new boolean[] {false, true}) {
      cases.add(sparseRowAdam(lazy, 1, 1, 0, 1, 0, 1, 1));
      cases.add(sparseRowAdam(lazy, 50, 3, 1, 29, 13, 16, 40));
      cases.add(sparseRowAdam(lazy, 700, 2, 0, 33, 0, 33, 30));
      cases.add(sparseRowAdam(lazy, 20, 2, SparseRowGradientOp.ALL_COLUMNS, 14, 0, 7, 300));
    }
    for (double decay : new double[] {0, 0.01}) {
      cases.add(deferredAdam(decay, 1, 1, 1, 1));
      cases.add(deferredAdam(decay, 0, 3, 10, 4));
      cases.add(deferredAdam(decay, 12, 40, 50, 16));
      cases.add(deferredAdam(decay, 150, 200, 1000, 33));
      cases.add(catchUp(decay, 1, 1, 0, 1, 1));
      cases.add(catchUp(decay, 50, 3, 1, 70, 16));
      cases.add(catchUp(decay, 700, 2, 0, 30, 33));
      cases.add(catchUp(decay, 20, 2, SparseRowGradientOp.ALL_COLUMNS, 300, 7));
      cases.add(catchUpAll(decay, 1, 5));
      cases.add(catchUpAll(decay, 301, 16));
    }
    int[][] gathered = {{1, 1, 1, 1}, {30, 7, 5, 3}, {70, 300, 32, 9}, {200, 1100, 17, 40}};
    for (int[] shape : gathered) {
      for (boolean transpose : new boolean[] {false, true}) {
        cases.add(gatheredProduct(transpose, null, shape));
        cases.add(gatheredProduct(transpose, UnaryOp.Kind.RELU, shape));
        cases.add(gatheredGradient(transpose, shape));
      }
    }
    return cases;
  }

  /** Rows, inner extent, columns, rows of the table; with an activation there is a bias. */
  private static ConformanceCase gatheredProduct(
      boolean transpose, UnaryOp.Kind activation, int... shape) {
    Dim k = Dim.of(shape[1]);
    Dim n = Dim.of(shape[2]);
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
                Arrays.toString(shape) + (transpose ? " B transposed " : " ") + activation)
            .input(Data.normal(1), Dim.of(shape[3]), k)
            .input(DType.I32, Data.ids(shape[3]), Dim.symbol("M", shape[0]))
            .input(Data.normal(1), transpose ? n : k, transpose ? k : n);
    if (activation != null) {
      builder.input(Data.normal(1), n);
    }
    MatMulOp product = new MatMulOp(false, transpose, activation != null, false, activation);
    return builder.build(new GatheredMatMulOp(product), 2.0 * shape[0] * shape[1] * shape[2]);
  }

  private static ConformanceCase gatheredGradient(boolean transpose, int... shape) {
    Dim rows = Dim.symbol("R", shape[0]);
    return new ConformanceCase.Builder(Arrays.toString(shape) + (transpose ? " dW transposed" : ""))
        .input(Data.normal(1), Dim.of(shape[3]), Dim.of(shape[1]))
        .input(DType.I32, Data.ids(shape[3]), rows)
        .input(Data.normal(1), rows, Dim.of(shape[2]))
        .build(
            new GatheredWeightGradientOp(new BlockWeightGradientOp(transpose, 1, transpose)),
            2.0 * shape[0] * shape[1] * shape[2]);
  }

  private static ConformanceCase gated(UnaryOp.Kind kind, DType weights, int m, int k, int n) {
    return new ConformanceCase.Builder(m + "x" + k + "x" + n + " " + kind + " W " + weights)
        .input(Data.normal(1), Dim.symbol("M", m), Dim.of(k))
        .input(weights, Data.normal(0.5), Dim.of(n), Dim.of(k))
        .input(weights, Data.normal(0.5), Dim.of(n), Dim.of(k))
        .build(new GatedMatMulOp(kind), 4.0 * m * k * n);
  }

  /** The first with a bias. */
  private static ConformanceCase products(DType weights, int m, int k, int... n) {
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(m + "x" + k + "x" + Arrays.toString(n) + " W " + weights);
    builder.input(Data.normal(1), Dim.symbol("M", m), Dim.of(k));
    List<MatMulOp> products = new ArrayList<>();
    for (int columns : n) {
      boolean first = products.isEmpty();
      builder.input(weights, Data.normal(0.5), Dim.of(columns), Dim.of(k));
      if (first) {
        builder.input(Data.normal(1), Dim.of(columns));
      }
      products.add(new MatMulOp(false, true, first, false, first ? UnaryOp.Kind.RELU : null));
    }
    return builder.build(new MatMulsOp(products), 2.0 * m * k * IntStream.of(n).sum());
  }

  private static ConformanceCase addRmsNorm(int rows, int width) {
    Dim r = Dim.symbol("R", rows);
    Dim d = Dim.of(width);
    return new ConformanceCase.Builder(rows + "x" + width)
        .input(Data.normal(2), r, d)
        .input(Data.normal(1), r, d)
        .input(Data.normal(1), d)
        .build(new AddRmsNormOp(1e-5), 5.0 * rows * width);
  }

  /** Every sequence's keys are the first third of all rows, then its own. */
  private static ConformanceCase rowAttention(boolean rounded, Mask mask, int... shape) {
    AttentionOp op =
        new AttentionOp(shape[2], shape[3], shape[4], 1 / Math.sqrt(shape[4]), mask, rounded);
    Dim tokens = Dim.symbol("T", shape[0]);
    Dim sequences = Dim.symbol("S", shape[1]);
    // A row for each key of each sequence, of which some are in no list.
    Dim rows = Dim.symbol("L", 3L * shape[0] * shape[1]);
    Dim keys = Dim.symbol("K", 2L * shape[0]);
    Dim kvWidth = Dim.of((long) shape[3] * shape[4]);
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(Arrays.toString(shape) + (rounded ? " rounded " : " ") + mask);
    return builder
        .input(Data.normal(1.5), tokens, Dim.of((long) shape[2] * shape[4]))
        .input(Data.normal(1), keys, kvWidth)
        .input(Data.normal(1), keys, kvWidth)
        .input(
            DType.I32,
            (random, type, extents) -> {
              long all = extents.of(keys);
              long length = Math.max(1, extents.of(rows) / Math.max(1, extents.of(sequences)));
              double[] listed = new double[Math.toIntExact(extents.of(type.dim(0)))];
              Arrays.setAll(
                  listed, i -> i % length < length / 3 ? i % length % all : random.nextLong(all));
              return listed;
            },
            rows)
        .input(DType.I32, Data.offsets(tokens, Split.EVEN), builder.offsetsOf(sequences))
        .input(DType.I32, bounds(rows, sequences, 0), sequences)
        .input(DType.I32, bounds(rows, sequences, 1), sequences)
        .build(new RowAttentionOp(op), 4.0 * shape[0] * shape[0] * shape[2] * shape[4]);
  }

  /** Rows that have taken some of the twenty steps before step 71. */
  private static ConformanceCase.Builder deferred(String name, double decay, int size, int width) {
    Dim rows = Dim.of(size);
    return new ConformanceCase.Builder(name + " of " + size + "x" + width + " decay " + decay)
        .input(Data.normal(0.1), rows, Dim.of(width))
        .input(Data.normal(0.1), rows, Dim.of(width))
        .input(Data.uniform(0.001, 0.02), rows, Dim.of(width))
        .input(
            DType.I32,
            (random, type, extents) -> random.ints(size, 50, 71).asDoubleStream().toArray(),
            rows)
        .input(Data.uniform(0.001, 0.01), Dim.of(DeferredAdamOp.WINDOW), Dim.of(2));
  }

  private static ConformanceCase deferredAdam(
      double decay, int count, int most, int size, int width) {
    return deferred("step of " + count, decay, size, width)
        .input(DType.I32, Data.sparseRows(count, size), Dim.of(most))
        .input(DType.I32, Data.constant(count), Dim.of(1))
        .input(Data.sparseValues(count), Dim.of(most), Dim.of(width))
        .input(DType.F64, Data.constant(0.05, 71), Dim.of(2))
        .build(new DeferredAdamOp(exactAdam(decay)), 15.0 * width * size);
  }

  private static ConformanceCase catchUp(
      double decay, int batch, int fields, int column, int size, int width) {
    return deferred(batch + "x" + fields + " column " + column, decay, size, width)
        .input(DType.I32, Data.ids(size), Dim.symbol("B", batch), Dim.of(fields))
        .input(DType.F64, Data.constant(0, 71), Dim.of(2))
        .build(new AdamCatchUpOp(exactAdam(decay), column), 150.0 * width * batch);
  }

  private static ConformanceCase catchUpAll(double decay, int size, int width) {
    return deferred("all", decay, size, width)
        .input(DType.F64, Data.constant(0, 71), Dim.of(2))
        .build(AdamCatchUpOp.ofAllRows(exactAdam(decay)), 150.0 * width * size);
  }

  private static SparseAdamOp exactAdam(double decay) {
    return new SparseAdamOp(0.9, 0.999, 1e-8, decay, false);
  }

  private static ConformanceCase.Generator bounds(Dim rows, Dim sequences, int ahead) {
    return (random, type, extents) -> {
      double[] bounds = new double[Math.toIntExact(extents.of(type.dim(0)))];
      Arrays.setAll(bounds, s -> extents.of(rows) * (s + ahead) / extents.of(sequences));
      return bounds;
    };
  }

  private static ConformanceCase sparseRowAdam(
      boolean lazy,
      int batch,
      int fields,
      int column,
      int gradientWidth,
      int offset,
      int width,
      int vocabulary) {
    Dim rows = Dim.symbol("B", batch);
    SparseRowGradientOp gradient = new SparseRowGradientOp(column, offset, width, vocabulary);
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            batch + "x" + fields + " column " + column + " to " + vocabulary + "x" + width);
    return builder
        .input(Data.normal(0.01), Dim.of(vocabulary), Dim.of(width))
        .input(Data.normal(0.1), Dim.of(vocabulary), Dim.of(width))
        .input(Data.uniform(0, 0.02), Dim.of(vocabulary), Dim.of(width))
        .input(DType.I32, Data.ids(vocabulary), rows, Dim.of(fields))
        .input(Data.normal(1), rows, Dim.of(gradientWidth))
        .input(DType.F64, Data.constant(0.05, 3), Dim.of(2))
        .maxNmse(vocabulary * width == 1 ? 1e-11 : ConformanceCase.DEFAULT_MAX_NMSE)
        .build(
            new SparseRowAdamOp(gradient, new SparseAdamOp(0.9, 0.999, 1e-8, 0.01, lazy)),
            15.0 * vocabulary * width);
  }
}
