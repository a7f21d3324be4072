package org.llm4msr.model.data;

import java.util.Arrays;

/** Sorts the codes of a dictionary without an object for each. */
final class CodeSort {
  private final Dictionary dictionary;
  private final int[] codes;
  private final long[] prefixes;

  private CodeSort(Dictionary dictionary, int[] codes) {
    this.dictionary = dictionary;
    this.codes = codes;
    prefixes = new long[codes.length];
    for (int i = 0; i < codes.length; i++) {
      prefixes[i] = dictionary.prefix(codes[i]);
    }
  }

  /**
   * The codes with at least {@code minCount}, those with the largest counts first, equal counts in
   * the order of the strings.
   *
   * @param counts below 2^31, one per code
   */
  static int[] byCount(Dictionary dictionary, long[] counts, int minCount) {
    int kept = 0;
    for (long count : counts) {
      kept += count >= minCount ? 1 : 0;
    }
    long[] keys = new long[kept];
    int next = 0;
    for (int code = 0; code < counts.length; code++) {
      if (counts[code] >= minCount) {
        keys[next++] = (Integer.MAX_VALUE - Math.min(counts[code], Integer.MAX_VALUE)) << 32 | code;
      }
    }
    Arrays.sort(keys);
    int[] sorted = new int[kept];
    for (int start = 0; start < kept; ) {
      int end = start;
      while (end < kept && keys[end] >> 32 == keys[start] >> 32) {
        end++;
      }
      int[] run = new int[end - start];
      for (int i = 0; i < run.length; i++) {
        run[i] = (int) keys[start + i];
      }
      byString(dictionary, run);
      System.arraycopy(run, 0, sorted, start, run.length);
      start = end;
    }
    return sorted;
  }

  /** Sorts {@code codes} in the order of their strings: a merge sort from runs of one up. */
  static void byString(Dictionary dictionary, int[] codes) {
    if (codes.length > 1) {
      new CodeSort(dictionary, codes).sort();
    }
  }

  private void sort() {
    int[] fromCodes = codes;
    int[] toCodes = new int[codes.length];
    long[] fromPrefixes = prefixes;
    long[] toPrefixes = new long[codes.length];
    for (long width = 1; width < codes.length; width *= 2) {
      for (long start = 0; start < codes.length; start += 2 * width) {
        int left = (int) start;
        int middle = (int) Math.min(start + width, codes.length);
        int right = middle;
        int end = (int) Math.min(start + 2 * width, codes.length);
        for (int to = left; to < end; to++) {
          boolean takeLeft =
              left < middle
                  && (right == end
                      || compare(
                              fromPrefixes[left],
                              fromCodes[left],
                              fromPrefixes[right],
                              fromCodes[right])
                          <= 0);
          int taken = takeLeft ? left++ : right++;
          toCodes[to] = fromCodes[taken];
          toPrefixes[to] = fromPrefixes[taken];
        }
      }
      int[] codesDone = fromCodes;
      fromCodes = toCodes;
      toCodes = codesDone;
      long[] prefixesDone = fromPrefixes;
      fromPrefixes = toPrefixes;
      toPrefixes = prefixesDone;
    }
    System.arraycopy(fromCodes, 0, codes, 0, codes.length);
  }

  private int compare(long prefixA, int a, long prefixB, int b) {
    int byPrefix = Long.compareUnsigned(prefixA, prefixB);
    return byPrefix != 0 ? byPrefix : dictionary.compare(a, b);
  }
}
