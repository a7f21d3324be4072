package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.EmbeddingConcatOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.SparseToDenseOp;

/** Table look-ups and their gradients. */
final class LookupCases {
  private LookupCases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    for (DType table : new DType[] {DType.F32, DType.BF16, DType.F16}) {
      cases.add(gather(table, 1, 1, 1));
      cases.add(gather(table, 37, 5, 13));
      cases.add(gather(table, 10, 1000, 64));
      cases.add(gather(table, 3000, 700, 33));
    }
    for (DType table : DType.values()) {
      if (table.isQuantised()) {
        cases.add(gather(table, 37, 5, 3 * table.blockSize()));
      }
    }
    cases.add(embeddings(1, new long[] {3}, new long[] {1}));
    cases.add(embeddings(29, new long[] {1, 9, 100}, new long[] {16, 1, 7}));
    cases.add(embeddings(600, new long[] {50, 2, 400, 7}, new long[] {16, 16, 16, 16}));
    cases.add(rowGradient(1, 1, 0, 1, 0, 1, 1));
    cases.add(rowGradient(50, 1, 0, 8, 0, 8, 4));
    cases.add(rowGradient(200, 3, 1, 40, 13, 17, 1000));
    cases.add(rowGradient(3000, 2, 1, 32, 16, 16, 300));
    cases.add(rowGradient(300, 0, 0, 5, 0, 5, 60));
    cases.add(sharedRowGradient(1, 1, 1, 1));
    cases.add(sharedRowGradient(40, 3, 7, 12));
    cases.add(sharedRowGradient(700, 5, 16, 300));
    cases.add(toDense(0, 4, 3, 10));
    cases.add(toDense(1, 1, 1, 1));
    cases.add(toDense(60, 77, 9, 200));
    return cases;
  }

  static List<ConformanceCase> benchmarks() {
    return List.of(
        embeddings(4096, new long[] {6000, 4000, 20, 10}, new long[] {16, 16, 16, 16}),
        rowGradient(4096, 4, 0, 64, 0, 16, 6000));
  }

  private static ConformanceCase gather(DType table, int rows, int vocabulary, int width) {
    return new ConformanceCase.Builder(rows + " of " + table + " " + vocabulary + "x" + width)
        .input(table, Data.normal(1), Dim.of(vocabulary), Dim.of(width))
        .input(DType.I32, Data.ids(vocabulary), Dim.symbol("R", rows))
        .build(new GatherOp(DType.F32), 0);
  }

  private static ConformanceCase embeddings(int batch, long[] rows, long[] widths) {
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            batch + " of tables " + Arrays.toString(rows) + " wide " + Arrays.toString(widths));
    builder.input(DType.I32, Data.fieldIds(rows), Dim.symbol("B", batch), Dim.of(rows.length));
    for (int field = 0; field < rows.length; field++) {
      builder.input(Data.normal(1), Dim.of(rows[field]), Dim.of(widths[field]));
    }
    return builder.build(new EmbeddingConcatOp(), 0);
  }

  /**
   * @param fields columns of the ids, or 0 for ids of rank 1
   */
  private static ConformanceCase rowGradient(
      int batch, int fields, int column, int gradientWidth, int offset, int width, int vocabulary) {
    Dim rows = Dim.symbol("B", batch);
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(
            batch + "x" + fields + " column " + column + " to " + vocabulary + "x" + width);
    if (fields == 0) {
      builder.input(DType.I32, Data.ids(vocabulary), rows);
    } else {
      builder.input(DType.I32, Data.ids(vocabulary), rows, Dim.of(fields));
    }
    builder.input(Data.normal(1), rows, Dim.of(gradientWidth));
    return builder.build(
        new SparseRowGradientOp(column, offset, width, vocabulary), (double) batch * width);
  }

  /** Of one table that all columns of the ids were looked up in. */
  private static ConformanceCase sharedRowGradient(
      int batch, int columns, int width, int vocabulary) {
    Dim rows = Dim.symbol("B", batch);
    return new ConformanceCase.Builder(
            batch + "x" + columns + " all columns to " + vocabulary + "x" + width)
        .input(DType.I32, Data.ids(vocabulary), rows, Dim.of(columns))
        .input(Data.normal(1), rows, Dim.of((long) columns * width))
        .build(
            SparseRowGradientOp.ofAllColumns(width, vocabulary), (double) batch * columns * width);
  }

  private static ConformanceCase toDense(int count, int most, int width, int size) {
    return new ConformanceCase.Builder(count + " of " + most + " rows to " + size + "x" + width)
        .input(DType.I32, Data.sparseRows(count, size), Dim.of(most))
        .input(DType.I32, Data.constant(count), Dim.of(1))
        .input(Data.sparseValues(count), Dim.of(most), Dim.of(width))
        .build(new SparseToDenseOp(size), 0);
  }
}
