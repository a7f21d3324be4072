package org.llm4msr.bindings.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Embedding tables: look-ups, their gradients, and sparse rows. */
public final class Tables {
  private static final MethodHandle GATHER = CpuLibrary.kernel("gather", "PLLPILPP");
  private static final MethodHandle SCATTER_ROWS = CpuLibrary.kernel("scatter_rows", "PLLPLPP");
  private static final MethodHandle EMBEDDING_CONCAT =
      CpuLibrary.kernel("embedding_concat", "PLPLPPL");
  private static final MethodHandle SPARSE_ROW_GRADIENT =
      CpuLibrary.kernel("sparse_row_gradient", "PLPLLPLLPPP");
  private static final MethodHandle SPARSE_TO_DENSE =
      CpuLibrary.kernel("sparse_to_dense", "PLPPPLLP");

  private Tables() {}

  /**
   * {@code out[i] = table[ids[i]]}, widened to F32.
   *
   * @param table {@code [vocabulary, width]} of {@code type}
   * @param ids I32 {@code [count]}
   * @param out {@code [count, width]}
   * @throws IllegalArgumentException also if an id is out of range; names it
   */
  public static void gather(
      CpuPool pool,
      long vocabulary,
      long width,
      MemorySegment table,
      StoredType type,
      long count,
      MemorySegment ids,
      MemorySegment out) {
    Checks.stored("table", table, vocabulary, width, width, type);
    Checks.ints("ids", ids, count);
    Checks.floats("out", out, count, width, width);
    try {
      int code =
          (int)
              GATHER.invokeExact(
                  pool.handle(), vocabulary, width, table, type.ordinal(), count, ids, out);
      check(code, "gather", ids, count, 1, 0, vocabulary);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * {@code table[ids[i]] = rows[i]}; of equal ids the last one wins.
   *
   * @param table F32 {@code [size, width]}
   * @param ids I32 {@code [count]}
   * @param rows {@code [count, width]}
   * @throws IllegalArgumentException also if an id is out of range; names it
   */
  public static void scatterRows(
      CpuPool pool,
      long size,
      long width,
      MemorySegment table,
      long count,
      MemorySegment ids,
      MemorySegment rows) {
    Checks.floats("table", table, size, width, width);
    Checks.ints("ids", ids, count);
    Checks.floats("rows", rows, count, width, width);
    try {
      int code =
          (int) SCATTER_ROWS.invokeExact(pool.handle(), size, width, table, count, ids, rows);
      check(code, "scatterRows", ids, count, 1, 0, size);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * One look-up per field, side by side.
   *
   * @param fields what {@link #describeField} wrote for each table
   * @param tables the same tables, which must still be open
   * @param ids I32 {@code [count, tables.length]}
   * @param out {@code [count, ld]}
   * @throws IllegalArgumentException also if an id is out of range; names it
   */
  public static void embeddingConcat(
      CpuPool pool,
      MemorySegment fields,
      MemorySegment[] tables,
      long count,
      MemorySegment ids,
      MemorySegment out,
      long ld) {
    long fieldCount = tables.length;
    checkFields(fields, tables, ld);
    Checks.ints("ids", ids, Checks.product("ids", count, fieldCount));
    Checks.floats("out", out, count, ld, ld);
    try {
      int code =
          (int)
              EMBEDDING_CONCAT.invokeExact(pool.handle(), fieldCount, fields, count, ids, out, ld);
      if (code != 0) {
        for (int field = 0; field < tables.length; field++) {
          long rows = fields.getAtIndex(ValueLayout.JAVA_LONG, field * 4L + 1);
          check(code, "embeddingConcat", ids, count, fieldCount, field, rows);
        }
      }
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Gradient of a table by what was looked up in it, summed per distinct id in a fixed order.
   *
   * @param ids I32, of which {@code ids[i * idStride]} looked up row i of dy
   * @param dy {@code [count, width]}, rows {@code ld} apart
   * @param rows I32 {@code [min(count, vocabulary)]}: the distinct ids, ascending
   * @param distinct I32 {@code [1]}: how many
   * @param values {@code [min(count, vocabulary), width]}
   * @throws IllegalArgumentException also if an id is out of range; names it
   */
  public static void sparseRowGradient(
      CpuPool pool,
      long count,
      MemorySegment ids,
      long idStride,
      long vocabulary,
      MemorySegment dy,
      long ld,
      long width,
      MemorySegment rows,
      MemorySegment distinct,
      MemorySegment values) {
    Checks.ids("ids", ids, count, idStride);
    Checks.floats("dy", dy, count, width, ld);
    long most = Math.min(count, Checks.size("vocabulary", vocabulary));
    Checks.ints("rows", rows, most);
    Checks.ints("distinct", distinct, 1);
    Checks.floats("values", values, most, width, width);
    try {
      int code =
          (int)
              SPARSE_ROW_GRADIENT.invokeExact(
                  pool.handle(),
                  count,
                  ids,
                  idStride,
                  vocabulary,
                  dy,
                  ld,
                  width,
                  rows,
                  distinct,
                  values);
      check(code, "sparseRowGradient", ids, count, idStride, 0, vocabulary);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /**
   * Sparse rows into zeros.
   *
   * @param rows I32 {@code [capacity]}, the first {@code count[0]} ascending
   * @param values {@code [capacity, width]}
   * @param out {@code [size, width]}
   * @throws IllegalArgumentException also if the rows do not ascend within {@code size}
   */
  public static void sparseToDense(
      CpuPool pool,
      long capacity,
      MemorySegment rows,
      MemorySegment count,
      MemorySegment values,
      long size,
      long width,
      MemorySegment out) {
    Checks.ints("rows", rows, capacity);
    Checks.ints("count", count, 1);
    Checks.floats("values", values, capacity, width, width);
    Checks.floats("out", out, size, width, width);
    try {
      int code =
          (int)
              SPARSE_TO_DENSE.invokeExact(
                  pool.handle(), capacity, rows, count, values, size, width, out);
      CpuLibrary.check(code, "sparseToDense");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  /** Bytes of one field's description. */
  public static final long FIELD_BYTES = 32;

  /**
   * Describes table {@code field} for {@link #embeddingConcat}.
   *
   * @param fields {@link #FIELD_BYTES} for each field
   * @param table F32 {@code [vocabulary, width]}
   * @param column where its values go in each row of the output
   */
  public static void describeField(
      MemorySegment fields,
      int field,
      MemorySegment table,
      long vocabulary,
      long width,
      long column) {
    Checks.floats("table " + field, table, vocabulary, width, width);
    long at = field * 4L;
    fields.setAtIndex(ValueLayout.JAVA_LONG, at, table.address());
    fields.setAtIndex(ValueLayout.JAVA_LONG, at + 1, vocabulary);
    fields.setAtIndex(ValueLayout.JAVA_LONG, at + 2, width);
    fields.setAtIndex(ValueLayout.JAVA_LONG, at + 3, Checks.size("column", column));
  }

  private static void checkFields(MemorySegment fields, MemorySegment[] tables, long ld) {
    Checks.longs("fields", fields, tables.length * 4L);
    for (int field = 0; field < tables.length; field++) {
      long at = field * 4L;
      long width = fields.getAtIndex(ValueLayout.JAVA_LONG, at + 2);
      Checks.floats(
          "table", tables[field], fields.getAtIndex(ValueLayout.JAVA_LONG, at + 1), width, width);
      if (!tables[field].scope().isAlive()
          || tables[field].address() != fields.getAtIndex(ValueLayout.JAVA_LONG, at)) {
        throw new IllegalArgumentException("table " + field + " is not the one described");
      }
      if (fields.getAtIndex(ValueLayout.JAVA_LONG, at + 3) + width > ld) {
        throw new IllegalArgumentException("table " + field + " does not fit into " + ld);
      }
    }
  }

  /** Names the first id that is out of range. */
  static void check(
      int code,
      String function,
      MemorySegment ids,
      long count,
      long stride,
      long from,
      long limit) {
    if (code != 0) {
      for (long i = 0; i < count; i++) {
        int id = ids.getAtIndex(ValueLayout.JAVA_INT, i * stride + from);
        if (id < 0 || id >= limit) {
          throw new IllegalArgumentException(
              function + ": id " + id + " at " + i + " is outside a table of " + limit + " rows");
        }
      }
    }
    CpuLibrary.check(code, function);
  }
}
