package org.llm4msr.model.data;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.llm4msr.runtime.UserError;

/** Turns a column of numbers into few categories. What is no number becomes a missing value. */
public final class Buckets {
  private Buckets() {}

  /** Doubling buckets, see {@link ValueRule.LogBuckets}. */
  public static CodedColumn log2(CodedColumn column) {
    return column.apply(new ValueRule.LogBuckets());
  }

  /**
   * Buckets with about equally many training rows each. Equal numbers share a bucket, so there may
   * be fewer than asked for.
   *
   * @param trainCounts training rows per code of {@code column}
   * @param buckets at least 2
   */
  public static CodedColumn quantiles(CodedColumn column, long[] trainCounts, int buckets) {
    if (buckets < 2) {
      throw new UserError("quantile buckets must be at least 2, but are " + buckets);
    }
    return column.apply(
        new ValueRule.BoundedBuckets(bounds(column.dictionary(), trainCounts, buckets)));
  }

  /** Upper bounds (inclusive) of all buckets but the last, ascending and distinct. */
  private static List<Double> bounds(Dictionary dictionary, long[] trainCounts, int buckets) {
    double[] numbers = dictionary.values().stream().mapToDouble(Buckets::parse).toArray();
    List<Integer> byNumber =
        IntStream.range(0, numbers.length)
            .filter(code -> !Double.isNaN(numbers[code]) && trainCounts[code] > 0)
            .boxed()
            .sorted(Comparator.comparingDouble(code -> numbers[code]))
            .toList();
    long total = byNumber.stream().mapToLong(code -> trainCounts[code]).sum();
    List<Double> bounds = new ArrayList<>();
    long seen = 0;
    long passed = 0;
    for (int code : byNumber.subList(0, Math.max(0, byNumber.size() - 1))) {
      seen += trainCounts[code];
      long quantiles = seen * buckets / total;
      if (quantiles > passed) {
        bounds.add(numbers[code]);
        passed = quantiles;
      }
    }
    return bounds.stream().distinct().toList();
  }

  /** A finite number, or NaN. */
  static double parse(String text) {
    try {
      double number = Double.parseDouble(text);
      // Of the two zeros only one is kept: they compare as equal, but have two texts.
      return Double.isInfinite(number) ? Double.NaN : number + 0.0;
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }
}
