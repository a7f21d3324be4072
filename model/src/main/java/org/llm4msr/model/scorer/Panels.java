package org.llm4msr.model.scorer;

import org.llm4msr.bindings.cpu.Int8Layout;
import org.llm4msr.bindings.cpu.ScoringProgram;

/**
 * The order in which programs read constant matrices: columns in panels, row after row; of BF16 two
 * rows side by side.
 */
final class Panels {
  static final int WIDTH = ScoringProgram.PANEL;

  private Panels() {}

  /** Panels of a matrix. */
  static long count(int columns) {
    return (columns + WIDTH - 1) / WIDTH;
  }

  /** Numbers from a row, or with {@code half} a pair of rows, to the next. */
  static int innerStride(boolean half) {
    return half ? 2 * WIDTH : WIDTH;
  }

  /** Numbers from one panel to the next. */
  static long stride(int rows, boolean half) {
    return half ? (rows + 1L) / 2 * innerStride(true) : (long) rows * WIDTH;
  }

  /** Floats' places that a matrix takes. */
  static long floats(int rows, int columns, Precision precision) {
    long panel =
        switch (precision) {
          case F32 -> stride(rows, false);
          case BF16 -> stride(rows, true) / 2;
          case INT8 -> Int8Layout.panel(rows);
        };
    return count(columns) * panel;
  }

  /**
   * @param matrix {@code [rows, columns]}
   * @return {@code [panels, rows, WIDTH]}, or with {@code half} {@code [panels, pairs, WIDTH, 2]};
   *     missing columns and rows 0
   */
  static float[] pack(float[] matrix, int rows, boolean half) {
    int columns = rows == 0 ? 0 : matrix.length / rows;
    long stride = stride(rows, half);
    float[] packed = new float[Math.toIntExact(count(columns) * stride)];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        int within = half ? r / 2 * 2 * WIDTH + c % WIDTH * 2 + r % 2 : r * WIDTH + c % WIDTH;
        packed[(int) (c / WIDTH * stride) + within] = matrix[r * columns + c];
      }
    }
    return packed;
  }
}
