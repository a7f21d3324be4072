package org.llm4msr.model.data;

/** A column of numbers under construction, one per entry; NaN stands for a missing one. */
public final class NumberColumn {
  private final Column numbers;
  private int size;

  /** A column on the heap. */
  public NumberColumn() {
    this(ColumnStore.onHeap());
  }

  /** A column whose memory {@code store} owns. */
  public NumberColumn(ColumnStore store) {
    numbers = store.column();
  }

  /** Appends a number. */
  public void add(double number) {
    set(size, number);
  }

  /**
   * Sets the number at {@code index}; entries skipped on the way are missing.
   *
   * @param number finite, or NaN for a missing one
   */
  public void set(int index, double number) {
    if (Double.isInfinite(number)) {
      throw new IllegalArgumentException("infinite number at " + index);
    }
    numbers.reserve(index + 1L, Double.BYTES);
    while (size <= index) {
      numbers.setDouble(size++, Double.NaN);
    }
    numbers.setDouble(index, number);
  }

  /** The number at {@code index}, NaN for a missing one and beyond the end. */
  public double get(int index) {
    return index < size ? numbers.getDouble(index) : Double.NaN;
  }

  /** Gives the entries' memory back once a field has been made of them. */
  public void closeEntries() {
    numbers.close();
  }
}
