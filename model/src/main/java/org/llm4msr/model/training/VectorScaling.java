package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import org.llm4msr.model.recommender.MetaConfig.Normalization;

/** Scales knowledge vectors once, when they are loaded. */
final class VectorScaling {
  private VectorScaling() {}

  /**
   * Scales rows in place. A vector without length, or a dimension without variation, becomes 0.
   *
   * @param table float32 {@code [rows, width]}
   * @param rows those that hold a vector
   */
  static void apply(Normalization normalization, MemorySegment table, int width, BitSet rows) {
    switch (normalization) {
      case NONE -> {}
      case L2 -> toLength(table, width, rows, 1);
      case RMS -> toLength(table, width, rows, Math.sqrt(width));
      case STANDARD -> standardize(table, width, rows);
    }
  }

  private static void toLength(MemorySegment table, int width, BitSet rows, double length) {
    for (int row = rows.nextSetBit(0); row >= 0; row = rows.nextSetBit(row + 1)) {
      long first = (long) row * width;
      double squares = 0;
      for (int i = 0; i < width; i++) {
        double element = table.getAtIndex(JAVA_FLOAT, first + i);
        squares += element * element;
      }
      double scale = squares == 0 ? 0 : length / Math.sqrt(squares);
      for (int i = 0; i < width; i++) {
        double element = table.getAtIndex(JAVA_FLOAT, first + i);
        table.setAtIndex(JAVA_FLOAT, first + i, (float) (element * scale));
      }
    }
  }

  private static void standardize(MemorySegment table, int width, BitSet rows) {
    int count = rows.cardinality();
    for (int i = 0; i < width; i++) {
      double sum = 0;
      for (int row = rows.nextSetBit(0); row >= 0; row = rows.nextSetBit(row + 1)) {
        sum += table.getAtIndex(JAVA_FLOAT, (long) row * width + i);
      }
      double mean = sum / count;
      double squares = 0;
      for (int row = rows.nextSetBit(0); row >= 0; row = rows.nextSetBit(row + 1)) {
        double difference = table.getAtIndex(JAVA_FLOAT, (long) row * width + i) - mean;
        squares += difference * difference;
      }
      double scale = squares == 0 ? 0 : 1 / Math.sqrt(squares / count * width);
      for (int row = rows.nextSetBit(0); row >= 0; row = rows.nextSetBit(row + 1)) {
        long at = (long) row * width + i;
        double difference = table.getAtIndex(JAVA_FLOAT, at) - mean;
        table.setAtIndex(JAVA_FLOAT, at, (float) (difference * scale));
      }
    }
  }
}
