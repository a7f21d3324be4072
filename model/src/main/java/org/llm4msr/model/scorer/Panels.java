package org.llm4msr.model.scorer;

import org.llm4msr.bindings.cpu.ScoringProgram;

/** The order in which programs read constant matrices: columns in panels, row after row. */
final class Panels {
  static final int WIDTH = ScoringProgram.PANEL;

  private Panels() {}

  /**
   * @param matrix {@code [rows, columns]}
   * @return {@code [panels, rows, WIDTH]}, missing columns 0
   */
  static float[] pack(float[] matrix, int rows) {
    int columns = rows == 0 ? 0 : matrix.length / rows;
    int panels = (columns + WIDTH - 1) / WIDTH;
    float[] packed = new float[panels * rows * WIDTH];
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        packed[(c / WIDTH * rows + r) * WIDTH + c % WIDTH] = matrix[r * columns + c];
      }
    }
    return packed;
  }
}
