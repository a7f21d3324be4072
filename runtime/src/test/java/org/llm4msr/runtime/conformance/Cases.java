package org.llm4msr.runtime.conformance;

import java.util.List;
import java.util.stream.Stream;

/** All conformance cases: what a backend must get right, and what it is timed on. */
public final class Cases {
  private Cases() {}

  /** Small and awkward: quick to run on every backend. */
  public static List<ConformanceCase> all() {
    return Stream.of(
            MatrixCases.all(),
            Int8Cases.all(),
            BlockInt8Cases.all(),
            MixtureCases.all(),
            LookupCases.all(),
            NormCases.all(),
            AttentionCases.all(),
            ElementwiseCases.all(),
            LayoutCases.all(),
            TrainingCases.all(),
            FusedCases.all())
        .flatMap(List::stream)
        .toList();
  }

  /** Sizes as the models have them: for benchmarks, which need no oracle. */
  public static List<ConformanceCase> benchmarks() {
    return Stream.of(
            MatrixCases.benchmarks(),
            MixtureCases.benchmarks(),
            LookupCases.benchmarks(),
            NormCases.benchmarks(),
            AttentionCases.benchmarks(),
            ElementwiseCases.benchmarks(),
            TrainingCases.benchmarks())
        .flatMap(List::stream)
        .toList();
  }
}
