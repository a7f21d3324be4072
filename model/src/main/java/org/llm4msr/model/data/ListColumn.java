package org.llm4msr.model.data;

import java.util.List;

/** A column of lists of strings under construction: a dictionary, and codes entry after entry. */
public final class ListColumn {
  private final Dictionary dictionary;
  private final Column codes;
  private final Column start;
  private final Column count;
  private long used;
  private int size;

  /** A column on the heap. */
  public ListColumn() {
    this(ColumnStore.onHeap());
  }

  /** A column whose memory {@code store} owns. */
  public ListColumn(ColumnStore store) {
    dictionary = new Dictionary(store);
    codes = store.column();
    start = store.column();
    count = store.column();
  }

  /**
   * Sets the list at {@code index}, once; entries that are never set are empty.
   *
   * @param values in the order that they keep
   */
  public void set(int index, List<String> values) {
    if (index >= size) {
      size = index + 1;
      start.reserve(size, Long.BYTES);
      count.reserve(size, Integer.BYTES);
    }
    start.setLong(index, used);
    count.setInt(index, values.size());
    codes.reserve(used + values.size(), Integer.BYTES);
    for (String value : values) {
      codes.setInt(used++, dictionary.add(value));
    }
  }

  /** Elements of the list at {@code index}; 0 beyond the end. */
  public int count(int index) {
    return index < size ? count.getInt(index) : 0;
  }

  /** The code of an element, {@code position} in [0, count). */
  public int code(int index, int position) {
    return codes.getInt(start.getLong(index) + position);
  }

  public Dictionary dictionary() {
    return dictionary;
  }

  /** Gives the entries' memory back once a field has been made of them; the dictionary stays. */
  public void closeEntries() {
    codes.close();
    start.close();
    count.close();
  }
}
