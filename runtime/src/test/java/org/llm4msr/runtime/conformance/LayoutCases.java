package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.op.ConcatOp;
import org.llm4msr.runtime.op.PadOp;
import org.llm4msr.runtime.op.ReshapeOp;
import org.llm4msr.runtime.op.SliceOp;
import org.llm4msr.runtime.op.TransposeOp;

/** Operators that only move elements: their results are exact. */
final class LayoutCases {
  private static final double EXACT = 0;

  private LayoutCases() {}

  static List<ConformanceCase> all() {
    List<ConformanceCase> cases = new ArrayList<>();
    cases.add(concat(1, 1));
    cases.add(concat(7, 5));
    cases.add(concat(33, 16, 1, 7));
    cases.add(concat(200, 64, 64, 3, 1, 20));
    for (int[] s : new int[][] {{1, 1, 0, 1}, {9, 10, 0, 10}, {33, 20, 7, 8}, {100, 97, 64, 97}}) {
      Dim rows = Dim.symbol("R", s[0]);
      cases.add(
          new ConformanceCase.Builder(Arrays.toString(s))
              .input(Data.normal(1), rows, Dim.of(s[1]))
              .maxNmse(EXACT)
              .build(new SliceOp(s[2], s[3]), 0));
      cases.add(
          new ConformanceCase.Builder(Arrays.toString(s))
              .input(Data.normal(1), rows, Dim.of(s[3] - s[2]))
              .maxNmse(EXACT)
              .build(new PadOp(s[2], s[1]), 0));
    }
    for (int[] s : new int[][] {{1, 1, 1}, {3, 16, 32}, {2, 17, 5}, {5, 1, 33}, {4, 50, 31}}) {
      cases.add(
          new ConformanceCase.Builder(Arrays.toString(s))
              .input(Data.normal(1), Dim.symbol("G", s[0]), Dim.of(s[1]), Dim.of(s[2]))
              .maxNmse(EXACT)
              .build(new TransposeOp(), 0));
    }
    Dim rows = Dim.symbol("R", 21);
    cases.add(
        new ConformanceCase.Builder("[R, 6] to [R, 2, 3]")
            .input(Data.normal(1), rows, Dim.of(6))
            .maxNmse(EXACT)
            .build(new ReshapeOp(List.of(rows, Dim.of(2), Dim.of(3))), 0));
    return cases;
  }

  private static ConformanceCase concat(int rows, int... widths) {
    Dim r = Dim.symbol("R", rows);
    ConformanceCase.Builder builder =
        new ConformanceCase.Builder(rows + " rows of " + Arrays.toString(widths));
    for (int width : widths) {
      builder.input(Data.normal(1), r, Dim.of(width));
    }
    return builder.maxNmse(EXACT).build(new ConcatOp(), 0);
  }
}
