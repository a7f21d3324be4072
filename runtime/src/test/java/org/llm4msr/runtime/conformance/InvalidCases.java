package org.llm4msr.runtime.conformance;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.conformance.ConformanceCase.Generator;
import org.llm4msr.runtime.conformance.Data.Split;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.GatheredMatMulOp;
import org.llm4msr.runtime.op.GatheredWeightGradientOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.GroupedSumOp;
import org.llm4msr.runtime.op.GroupedWeightGradientOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.RowAttentionOp;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.SparseToDenseOp;

/** Data with one index out of range: every backend must refuse it before it touches memory. */
final class InvalidCases {
  private static final Dim ROWS = Dim.symbol("R", 9);
  private static final Dim GROUPS = Dim.of(3);
  private static final Dim WIDTH = Dim.of(4);
  private static final Generator ORDER = Data.permutation();
  private static final Generator OFFSETS = Data.offsets(ROWS, Split.EVEN);

  private InvalidCases() {}

  static List<ConformanceCase> all() {
    return List.of(
        gather(Data.replaced(Data.ids(5), 3, 5)),
        gather(Data.replaced(Data.ids(5), 8, -1)),
        embeddings(Data.replaced(Data.fieldIds(5, 6), 1, 6)),
        embeddings(Data.replaced(Data.fieldIds(5, 6), 4, -2)),
        rowGradient(Data.replaced(Data.ids(5), 0, 5)),
        rowGradient(Data.replaced(Data.ids(5), 7, -1)),
        toDense(3, Data.replaced(Data.sparseRows(3, 10), 2, 10)),
        toDense(3, Data.replaced(Data.sparseRows(3, 10), 0, -1)),
        toDense(5, Data.sparseRows(3, 10)),
        toDense(-1, Data.sparseRows(3, 10)),
        sparseAdam(true, 3, Data.replaced(Data.sparseRows(3, 10), 2, 10)),
        sparseAdam(false, 3, Data.replaced(Data.sparseRows(3, 10), 0, -1)),
        sparseAdam(true, 5, Data.sparseRows(3, 10)),
        deferredAdam(3, Data.replaced(Data.sparseRows(3, 10), 1, 10)),
        deferredAdam(5, Data.sparseRows(3, 10)),
        catchUp(Data.replaced(Data.ids(10), 3, 10)),
        catchUp(Data.replaced(Data.ids(10), 8, -1)),
        grouped(Data.replaced(ORDER, 4, 9), OFFSETS),
        grouped(Data.replaced(ORDER, 0, -1), OFFSETS),
        grouped(ORDER, Data.replaced(OFFSETS, 0, 1)),
        grouped(ORDER, Data.replaced(OFFSETS, 1, 7)),
        grouped(ORDER, Data.replaced(OFFSETS, 3, 10)),
        grouped(ORDER, Data.replaced(OFFSETS, 3, 8)),
        grouped(ORDER, Data.replaced(OFFSETS, 1, -4)),
        weightGradient(Data.replaced(ORDER, 4, 9), OFFSETS),
        weightGradient(ORDER, Data.replaced(OFFSETS, 3, 10)),
        sum(Data.replaced(ORDER, 8, 1_000_000_000), OFFSETS),
        sum(ORDER, Data.replaced(OFFSETS, 2, 1_000_000_000)),
        batchNorm(Data.replaced(ORDER, 4, 9), OFFSETS),
        batchNorm(ORDER, Data.replaced(OFFSETS, 3, 10)),
        attention(Data.replaced(OFFSETS, 0, 1)),
        attention(Data.replaced(OFFSETS, 1, 8)),
        attention(Data.replaced(OFFSETS, 3, 10)),
        attention(Data.replaced(OFFSETS, 3, 8)),
        roundedAttention(Data.replaced(OFFSETS, 1, 8)),
        roundedAttention(Data.replaced(OFFSETS, 3, 10)),
        rowAttention(Data.replaced(ORDER, 2, 9), OFFSETS),
        rowAttention(Data.replaced(ORDER, 8, -1), OFFSETS),
        rowAttention(ORDER, Data.replaced(OFFSETS, 1, 8)),
        gathered(Data.replaced(Data.ids(5), 3, 5)),
        gathered(Data.replaced(Data.ids(5), 8, -1)),
        gatheredGradient(Data.replaced(Data.ids(5), 8, 5)),
        rowAdam(true, Data.replaced(Data.ids(5), 7, 5)),
        rowAdam(false, Data.replaced(Data.ids(5), 0, -1)));
  }

  private static ConformanceCase gathered(Generator ids) {
    MatMulOp product = new MatMulOp(false, false, false, false, null);
    return builder()
        .input(Data.normal(1), Dim.of(5), WIDTH)
        .input(DType.I32, ids, ROWS)
        .input(Data.normal(1), WIDTH, WIDTH)
        .build(new GatheredMatMulOp(product), 1);
  }

  private static ConformanceCase gatheredGradient(Generator ids) {
    return builder()
        .input(Data.normal(1), Dim.of(5), WIDTH)
        .input(DType.I32, ids, ROWS)
        .input(Data.normal(1), ROWS, WIDTH)
        .build(new GatheredWeightGradientOp(new BlockWeightGradientOp(true, 1, false)), 1);
  }

  private static ConformanceCase rowAttention(Generator rows, Generator offsets) {
    ConformanceCase.Builder builder = builder();
    for (int i = 0; i < 3; i++) {
      builder.input(Data.normal(1), ROWS, Dim.of(64));
    }
    AttentionOp.Mask mask = AttentionOp.Mask.causal();
    return builder
        .input(DType.I32, rows, ROWS)
        .input(DType.I32, offsets, Dim.of(4))
        .input(DType.I32, Data.constant(0, 0, 0), Dim.of(3))
        .input(DType.I32, Data.constant(9, 9, 9), Dim.of(3))
        .build(new RowAttentionOp(new AttentionOp(1, 1, 64, 0.5, mask, true)), 0);
  }

  private static ConformanceCase rowAdam(boolean lazy, Generator ids) {
    ConformanceCase.Builder builder = builder();
    for (int i = 0; i < 3; i++) {
      builder.input(Data.uniform(0, 1), Dim.of(5), WIDTH);
    }
    return builder
        .input(DType.I32, ids, ROWS)
        .input(Data.normal(1), ROWS, WIDTH)
        .input(DType.F64, Data.constant(0.1, 1), Dim.of(2))
        .build(
            new SparseRowAdamOp(
                new SparseRowGradientOp(0, 0, 4, 5), new SparseAdamOp(0.9, 0.999, 1e-8, 0, lazy)),
            0);
  }

  private static ConformanceCase.Builder builder() {
    return new ConformanceCase.Builder("with a bad index");
  }

  private static ConformanceCase gather(Generator ids) {
    return builder()
        .input(Data.normal(1), Dim.of(5), WIDTH)
        .input(DType.I32, ids, ROWS)
        .build(new GatherOp(DType.F32), 0);
  }

  private static ConformanceCase embeddings(Generator ids) {
    return builder()
        .input(DType.I32, ids, ROWS, Dim.of(2))
        .input(Data.normal(1), Dim.of(5), WIDTH)
        .input(Data.normal(1), Dim.of(6), WIDTH)
        .build(new EmbeddingConcatOp(), 0);
  }

  private static ConformanceCase rowGradient(Generator ids) {
    return builder()
        .input(DType.I32, ids, ROWS)
        .input(Data.normal(1), ROWS, WIDTH)
        .build(new SparseRowGradientOp(0, 0, 4, 5), 0);
  }

  private static ConformanceCase toDense(int count, Generator rows) {
    return builder()
        .input(DType.I32, rows, Dim.of(4))
        .input(DType.I32, Data.constant(count), Dim.of(1))
        .input(Data.normal(1), Dim.of(4), WIDTH)
        .build(new SparseToDenseOp(10), 0);
  }

  private static ConformanceCase sparseAdam(boolean lazy, int count, Generator rows) {
    ConformanceCase.Builder builder = builder();
    for (int i = 0; i < 3; i++) {
      builder.input(Data.uniform(0, 1), Dim.of(10), WIDTH);
    }
    return builder
        .input(DType.I32, rows, Dim.of(4))
        .input(DType.I32, Data.constant(count), Dim.of(1))
        .input(Data.normal(1), Dim.of(4), WIDTH)
        .input(DType.F64, Data.constant(0.1, 1), Dim.of(2))
        .build(new SparseAdamOp(0.9, 0.999, 1e-8, 0, lazy), 0);
  }

  private static ConformanceCase.Builder deferredTable() {
    ConformanceCase.Builder builder = builder();
    for (int i = 0; i < 3; i++) {
      builder.input(Data.uniform(0, 1), Dim.of(10), WIDTH);
    }
    return builder
        .input(DType.I32, Data.constant(0, 0, 0, 0, 0, 0, 0, 0, 0, 0), Dim.of(10))
        .input(Data.uniform(0, 1), Dim.of(DeferredAdamOp.WINDOW), Dim.of(2));
  }

  private static ConformanceCase deferredAdam(int count, Generator rows) {
    return deferredTable()
        .input(DType.I32, rows, Dim.of(4))
        .input(DType.I32, Data.constant(count), Dim.of(1))
        .input(Data.normal(1), Dim.of(4), WIDTH)
        .input(DType.F64, Data.constant(0.1, 1), Dim.of(2))
        .build(new DeferredAdamOp(new SparseAdamOp(0.9, 0.999, 1e-8, 0, false)), 0);
  }

  private static ConformanceCase catchUp(Generator ids) {
    return deferredTable()
        .input(DType.I32, ids, ROWS)
        .input(DType.F64, Data.constant(0.1, 3), Dim.of(2))
        .build(new AdamCatchUpOp(new SparseAdamOp(0.9, 0.999, 1e-8, 0, false), 0), 0);
  }

  private static ConformanceCase grouped(Generator order, Generator offsets) {
    return withGrouping(
        builder().input(Data.normal(1), ROWS, WIDTH).input(Data.normal(1), GROUPS, WIDTH, WIDTH),
        order,
        offsets,
        new GroupedMatMulOp(false, false, null));
  }

  private static ConformanceCase weightGradient(Generator order, Generator offsets) {
    return withGrouping(
        builder().input(Data.normal(1), ROWS, WIDTH).input(Data.normal(1), ROWS, WIDTH),
        order,
        offsets,
        new GroupedWeightGradientOp(false, GROUPS));
  }

  private static ConformanceCase sum(Generator order, Generator offsets) {
    return withGrouping(
        builder().input(Data.normal(1), ROWS, WIDTH),
        order,
        offsets,
        new GroupedSumOp(GROUPS, false));
  }

  private static ConformanceCase withGrouping(
      ConformanceCase.Builder builder, Generator order, Generator offsets, Op op) {
    return builder.input(DType.I32, order, ROWS).input(DType.I32, offsets, Dim.of(4)).build(op, 0);
  }

  private static ConformanceCase batchNorm(Generator order, Generator offsets) {
    ConformanceCase.Builder builder =
        builder()
            .input(Data.normal(1), ROWS, WIDTH)
            .input(DType.I32, order, ROWS)
            .input(DType.I32, offsets, Dim.of(4));
    for (int i = 0; i < 4; i++) {
      builder.input(Data.uniform(0.5, 1), GROUPS, WIDTH);
    }
    return builder.build(new GroupedBatchNormOp(1e-5, 0.1, true), 0);
  }

  private static ConformanceCase attention(Generator offsets) {
    return attention(offsets, WIDTH, false);
  }

  /** Such as tensor cores take. */
  private static ConformanceCase roundedAttention(Generator offsets) {
    return attention(offsets, Dim.of(64), true);
  }

  private static ConformanceCase attention(Generator offsets, Dim width, boolean rounded) {
    ConformanceCase.Builder builder = builder();
    for (int i = 0; i < 3; i++) {
      builder.input(Data.normal(1), ROWS, width);
    }
    int headDim = Math.toIntExact(width.fixed());
    AttentionOp.Mask mask = AttentionOp.Mask.causal();
    return builder
        .input(DType.I32, offsets, Dim.of(4))
        .build(new AttentionOp(1, 1, headDim, 0.5, mask, rounded), 0);
  }
}
