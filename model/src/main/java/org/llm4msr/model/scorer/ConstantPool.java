package org.llm4msr.model.scorer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.bindings.cpu.Int8Layout;

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
    /** The same in wider panels. */
    WIDE_PANELS,
    /** One row for each item and one for unknown ones. */
    TABLE
  }

  /**
   * @param term a constant, or what a table's rows hold
   * @param rows of the matrix or table
   * @param offset in floats
   * @param floats that it takes
   */
  record Entry(Term term, Layout layout, int rows, Precision precision, long offset, long floats) {}

  private record Key(Term term, Layout layout, int rows, Precision precision) {}

  private final int items;
  private final Precision precision;
  private final Map<Key, Entry> entries = new LinkedHashMap<>();
  private long floats;

  /**
   * @param items known ones
   * @param precision of matrices and tables
   */
  ConstantPool(int items, Precision precision) {
    this.items = items;
    this.precision = precision;
  }

  /** Known items: a table has one row more. */
  int items() {
    return items;
  }

  /** Offset of a constant as it is. */
  long plain(Term constant) {
    return add(new Key(constant, Layout.PLAIN, 1, Precision.F32), constant.width());
  }

  /**
   * Offset of a constant matrix that is applied once for a request; of {@link #vectorPrecision}.
   *
   * @param in its rows
   */
  long matrix(Term constant, int in) {
    Precision type = vectorPrecision(in);
    int width = constant.width();
    return type == Precision.INT8
        ? add(
            new Key(constant, Layout.WIDE_PANELS, in, type),
            Int8Layout.matrix(in, in == 0 ? 0 : width / in))
        : add(new Key(constant, Layout.PLAIN, 1, type), floats(width, type));
  }

  /** Of tables, and of matrices on rows that are not too narrow. */
  Precision precision() {
    return precision;
  }

  /**
   * Of matrices that are applied once for a request: reading them takes longer than the products.
   *
   * @param in a matrix's rows
   */
  Precision vectorPrecision(int in) {
    return precision == Precision.INT8 && in > Int8Layout.MAX_VECTOR ? Precision.BF16 : precision;
  }

  /** Offset of a constant matrix of {@code rows} rows in panels. */
  long panels(Term constant, int rows, Precision type) {
    int columns = rows == 0 ? 0 : constant.width() / rows;
    return add(new Key(constant, Layout.PANELS, rows, type), Panels.floats(rows, columns, type));
  }

  /** Offset of the table of a term that depends on the item alone. */
  long table(Term term) {
    int rows = items + 1;
    long size =
        precision == Precision.INT8
            ? rows * Int8Layout.row(term.width())
            : floats((long) rows * term.width(), precision);
    return add(new Key(term, Layout.TABLE, rows, precision), size);
  }

  private static long floats(long numbers, Precision type) {
    return type == Precision.BF16 ? (numbers + 1) / 2 : numbers;
  }

  private long add(Key key, long size) {
    return entries
        .computeIfAbsent(
            key,
            k -> {
              Entry entry = new Entry(k.term(), k.layout(), k.rows(), k.precision(), floats, size);
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
