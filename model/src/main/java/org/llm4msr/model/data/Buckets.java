package org.llm4msr.model.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.llm4msr.runtime.UserError;

/** Turns a column of numbers into few categories. What is no number becomes a missing value. */
public final class Buckets {
  private Buckets() {}

  /**
   * Doubling buckets for counts and sizes: "0", "1", "2 to 3", "4 to 7", "8 to 15", …; one bucket
   * for what is below 0. The fraction is dropped.
   */
  public static CodedColumn log2(CodedColumn column) {
    return column.map(text -> {
      double number = parse(text);
      if (Double.isNaN(number)) {
        return null;
      }
      if (number < 0) {
        return "below 0";
      }
      long whole = (long) number;
      if (whole < 2) {
        return Long.toString(whole);
      }
      long low = Long.highestOneBit(whole);
      return low + " to " + (2 * low - 1);
    });
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
    double[] bounds = bounds(column.dictionary(), trainCounts, buckets);
    return column.map(text -> {
      double number = parse(text);
      return Double.isNaN(number) ? null : bucketName(bounds, number);
    });
  }

  /** Upper bounds (inclusive) of all buckets but the last, ascending and distinct. */
  private static double[] bounds(Dictionary dictionary, long[] trainCounts, int buckets) {
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
    return bounds.stream().mapToDouble(Double::doubleValue).distinct().toArray();
  }

  private static String bucketName(double[] bounds, double number) {
    int at = Arrays.binarySearch(bounds, number);
    int bucket = at >= 0 ? at : -at - 1;
    if (bounds.length == 0) {
      return "any";
    }
    return bucket == 0
        ? "up to " + plain(bounds[0])
        : bucket == bounds.length
            ? "above " + plain(bounds[bucket - 1])
            : "above " + plain(bounds[bucket - 1]) + " up to " + plain(bounds[bucket]);
  }

  private static String plain(double number) {
    return number == Math.rint(number) && Math.abs(number) < 1e15
        ? Long.toString((long) number)
        : Double.toString(number);
  }

  private static double parse(String text) {
    try {
      double number = Double.parseDouble(text);
      return Double.isInfinite(number) ? Double.NaN : number;
    } catch (NumberFormatException e) {
      return Double.NaN;
    }
  }
}
