package org.llm4msr.model.scorer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.llm4msr.bindings.cpu.Int8Layout;

/** Numbers in 8 bits as programs read them, symmetric around zero; see {@code score.h}. */
final class Int8 {
  private static final float LEVELS = 127;

  /** {@code round(x * inverse)} stands for {@code scale} times that. */
  private record Scale(float scale, float inverse) {
    /** As {@code int8_scale} in {@code panels.h}: of numbers that are not finite NaN. */
    static Scale of(float[] from, int at, int step, int count) {
      float largest = 0;
      for (int i = 0; i < count; i++) {
        float value = Math.abs(from[at + i * step]);
        largest = Float.isFinite(value) ? Math.max(largest, value) : Float.NaN;
        if (Float.isNaN(largest)) {
          return new Scale(Float.NaN, 0);
        }
      }
      float inverse = LEVELS / largest;
      return Float.isFinite(inverse) ? new Scale(largest / LEVELS, inverse) : new Scale(0, 0);
    }

    byte quantised(float value) {
      return (byte) (inverse == 0 ? 0 : Math.rint(value * inverse));
    }
  }

  private Int8() {}

  private static ByteBuffer buffer(long floats) {
    return ByteBuffer.allocate(Math.toIntExact(floats * Float.BYTES))
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Rows of a table.
   *
   * @param rows {@code [n, width]}
   * @return for each row its scale and its bytes, up to a whole float
   */
  static byte[] table(float[] rows, int width) {
    int count = rows.length / width;
    long stride = Int8Layout.row(width) * Float.BYTES;
    ByteBuffer to = buffer(count * Int8Layout.row(width));
    for (int r = 0; r < count; r++) {
      Scale scale = Scale.of(rows, r * width, 1, width);
      int at = (int) (r * stride);
      to.putFloat(at, scale.scale());
      for (int j = 0; j < width; j++) {
        to.put(at + Float.BYTES + j, scale.quantised(rows[r * width + j]));
      }
    }
    return to.array();
  }

  /**
   * Panels of a matrix: scales and sums of {@code width} columns, then four rows of each column in
   * turn.
   *
   * @param matrix {@code [rows, columns]}
   */
  static byte[] panels(float[] matrix, int rows, int width) {
    int columns = rows == 0 ? 0 : matrix.length / rows;
    long panel = Int8Layout.panel(rows, width) * Float.BYTES;
    ByteBuffer to = buffer((columns + width - 1L) / width * Int8Layout.panel(rows, width));
    for (int c = 0; c < columns; c++) {
      Scale scale = Scale.of(matrix, c, columns, rows);
      int at = (int) (c / width * panel) + c % width * Float.BYTES;
      to.putFloat(at, scale.scale());
      int sum = 0;
      for (int r = 0; r < rows; r++) {
        byte value = scale.quantised(matrix[r * columns + c]);
        int quad = (2 + r / Int8Layout.QUAD) * width;
        to.put(at + quad * Float.BYTES + r % Int8Layout.QUAD, value);
        sum += value;
      }
      to.putInt(at + width * Float.BYTES, sum);
    }
    return to.array();
  }
}
