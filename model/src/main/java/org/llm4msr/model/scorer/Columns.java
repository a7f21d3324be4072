package org.llm4msr.model.scorer;

import java.util.Map;
import java.util.TreeMap;

/** Hands out ranges of row registers' columns, and takes them back. */
final class Columns {
  /** Free ranges: length by first column. */
  private final TreeMap<Integer, Integer> free = new TreeMap<>();

  private int size;

  /** The first of {@code width} columns. */
  int allocate(int width) {
    int first = -1;
    int length = Integer.MAX_VALUE;
    for (Map.Entry<Integer, Integer> range : free.entrySet()) {
      if (range.getValue() >= width && range.getValue() < length) {
        first = range.getKey();
        length = range.getValue();
      }
    }
    if (first < 0) {
      size += width;
      return size - width;
    }
    free.remove(first);
    if (length > width) {
      free.put(first + width, length - width);
    }
    return first;
  }

  void release(int first, int width) {
    int from = first;
    int length = width;
    Integer before = free.lowerKey(first);
    if (before != null && before + free.get(before) == first) {
      from = before;
      length += free.remove(before);
    }
    Integer after = free.remove(first + width);
    free.put(from, length + (after == null ? 0 : after));
  }

  /** Most columns that were in use. */
  int size() {
    return size;
  }
}
