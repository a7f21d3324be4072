package org.llm4msr.model.data;

import java.util.Arrays;
import java.util.List;

/** A column of lists of strings under construction: a dictionary, and codes entry after entry. */
public final class ListColumn {
  private final Dictionary dictionary = new Dictionary();
  private int[] codes = new int[16];
  private int used;
  private int[] start = new int[16];
  private int[] count = new int[16];

  /**
   * Sets the list at {@code index}, once; entries that are never set are empty.
   *
   * @param values in the order that they keep
   */
  public void set(int index, List<String> values) {
    if (index >= start.length) {
      int length = Math.max(index + 1, start.length + (start.length >> 1));
      start = Arrays.copyOf(start, length);
      count = Arrays.copyOf(count, length);
    }
    start[index] = used;
    count[index] = values.size();
    for (String value : values) {
      if (used == codes.length) {
        codes = Arrays.copyOf(codes, Math.addExact(used, used >> 1));
      }
      codes[used++] = dictionary.add(value);
    }
  }

  /** Elements of the list at {@code index}; 0 beyond the end. */
  public int count(int index) {
    return index < count.length ? count[index] : 0;
  }

  /** The code of an element, {@code position} in [0, count). */
  public int code(int index, int position) {
    return codes[start[index] + position];
  }

  public Dictionary dictionary() {
    return dictionary;
  }
}
