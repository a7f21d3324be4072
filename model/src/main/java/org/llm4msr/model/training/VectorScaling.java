package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import org.llm4msr.model.recommender.MetaConfig.Normalization;

/**
 * How knowledge vectors are scaled before a model reads them: fitted to those that it is trained
 * on, applied to them and to later ones alike. A vector without length, or a dimension without
 * variation, becomes 0.
 *
 * @param width of a vector
 * @param mean of each dimension; empty but for {@link Normalization#STANDARD}
 * @param scale factor of each dimension less its mean; as long as {@code mean}
 */
public record VectorScaling(Normalization normalization, int width, double[] mean, double[] scale) {
  /** Vectors to fit to, always in the same order. */
  interface Rows {
    /**
     * @return false, with {@code vector} left alone, where the row holds none
     */
    boolean read(int row, float[] vector);
  }

  public VectorScaling {
    int expected = normalization == Normalization.STANDARD ? width : 0;
    if (mean.length != expected || scale.length != expected) {
      throw new IllegalArgumentException(
          "%d means and %d factors for %s vectors of %d"
              .formatted(mean.length, scale.length, normalization, width));
    }
  }

  /**
   * @param count of rows
   */
  static VectorScaling fit(Normalization normalization, int width, int count, Rows rows) {
    if (normalization != Normalization.STANDARD) {
      return new VectorScaling(normalization, width, new double[0], new double[0]);
    }
    double[] mean = new double[width];
    double[] scale = new double[width];
    float[] vector = new float[width];
    int present = 0;
    for (int row = 0; row < count; row++) {
      if (rows.read(row, vector)) {
        present++;
        for (int i = 0; i < width; i++) {
          mean[i] += vector[i];
        }
      }
    }
    for (int i = 0; i < width; i++) {
      mean[i] /= present;
    }
    for (int row = 0; row < count; row++) {
      if (rows.read(row, vector)) {
        for (int i = 0; i < width; i++) {
          scale[i] += (vector[i] - mean[i]) * (vector[i] - mean[i]);
        }
      }
    }
    for (int i = 0; i < width; i++) {
      scale[i] = scale[i] == 0 ? 0 : 1 / Math.sqrt(scale[i] / present * width);
    }
    return new VectorScaling(normalization, width, mean, scale);
  }

  /** Scales a vector {@code [width]} in place. */
  public void apply(float[] vector) {
    switch (normalization) {
      case NONE -> {}
      case L2 -> toLength(vector, 1);
      case RMS -> toLength(vector, Math.sqrt(width));
      case STANDARD -> {
        for (int i = 0; i < width; i++) {
          vector[i] = (float) ((vector[i] - mean[i]) * scale[i]);
        }
      }
    }
  }

  private static void toLength(float[] vector, double length) {
    double squares = 0;
    for (float element : vector) {
      squares += (double) element * element;
    }
    double scale = squares == 0 ? 0 : length / Math.sqrt(squares);
    for (int i = 0; i < vector.length; i++) {
      vector[i] = (float) (vector[i] * scale);
    }
  }

  /**
   * Fits to the rows of a table and scales them in place.
   *
   * @param table float32 {@code [rows, width]}
   * @param rows those that hold a vector
   */
  static void apply(Normalization normalization, MemorySegment table, int width, BitSet rows) {
    VectorScaling scaling =
        fit(
            normalization,
            width,
            rows.length(),
            (row, vector) -> {
              if (rows.get(row)) {
                MemorySegment.copy(table, JAVA_FLOAT, offset(row, width), vector, 0, width);
              }
              return rows.get(row);
            });
    float[] vector = new float[width];
    for (int row = rows.nextSetBit(0); row >= 0; row = rows.nextSetBit(row + 1)) {
      MemorySegment.copy(table, JAVA_FLOAT, offset(row, width), vector, 0, width);
      scaling.apply(vector);
      MemorySegment.copy(vector, 0, table, JAVA_FLOAT, offset(row, width), width);
    }
  }

  private static long offset(int row, int width) {
    return (long) row * width * Float.BYTES;
  }
}
