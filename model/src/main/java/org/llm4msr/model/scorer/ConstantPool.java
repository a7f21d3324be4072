package org.llm4msr.model.scorer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The constants of a snapshot's programs, equal ones once: matrices, vectors, and the tables of
 * what depends on the item alone.
 */
final class ConstantPool {
  /** Floats to which every entry is aligned: 64 bytes. */
  static final int ALIGNMENT = 16;

  /** How a constant is laid out. */
  enum Layout {
    /** As it is. */
    PLAIN,
    /** A matrix in panels of columns; see {@code score.h}. */
    PANELS,
    /** One row for each item and one for unknown ones. */
    TABLE
  }

  /**
   * @param term a constant, or what a table's rows hold
   * @param rows of the matrix or table
   * @param half whether it is held as BF16
   * @param offset in floats
   * @param floats that it takes; BF16 numbers take half of one
   */
  record Entry(Term term, Layout layout, int rows, boolean half, long offset, long floats) {}

  private record Key(Term term, Layout layout, int rows, boolean half) {}

  private final int items;
  private final boolean half;
  private final Map<Key, Entry> entries = new LinkedHashMap<>();
  private long floats;

  /**
   * @param items known ones
   * @param half whether matrices and tables are held as BF16
   */
  ConstantPool(int items, boolean half) {
    this.items = items;
    this.half = half;
  }

  /** Known items: a table has one row more. */
  int items() {
    return items;
  }

  /** Offset of a constant as it is. */
  long plain(Term constant) {
    return add(new Key(constant, Layout.PLAIN, 1, false), constant.width());
  }

  /** Offset of a constant matrix, row after row. */
  long matrix(Term constant) {
    return add(new Key(constant, Layout.PLAIN, 1, half), constant.width());
  }

  /** Whether matrices and tables are BF16. */
  boolean half() {
    return half;
  }

  /** Offset of a constant matrix of {@code rows} rows in panels. */
  long panels(Term constant, int rows) {
    return add(
        new Key(constant, Layout.PANELS, rows, half),
        Panels.count(constant.width() / rows) * Panels.stride(rows, half));
  }

  /** Offset of the table of a term that depends on the item alone. */
  long table(Term term) {
    int rows = items + 1;
    return add(new Key(term, Layout.TABLE, rows, half), (long) rows * term.width());
  }

  private long add(Key key, long numbers) {
    long size = key.half() ? (numbers + 1) / 2 : numbers;
    return entries
        .computeIfAbsent(
            key,
            k -> {
              Entry entry = new Entry(k.term(), k.layout(), k.rows(), k.half(), floats, size);
              floats += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
              return entry;
            })
        .offset();
  }

  /** In the order of their offsets. */
  List<Entry> entries() {
    return new ArrayList<>(entries.values());
  }

  /** Floats of all entries, aligned. */
  long floats() {
    return floats;
  }
}
