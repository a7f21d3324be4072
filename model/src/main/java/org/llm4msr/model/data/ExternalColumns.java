package org.llm4msr.model.data;

import java.util.function.IntPredicate;

/** An existing recommender whose answers are columns of the log, added row after row. */
final class ExternalColumns implements ExternalRecommender {
  private final Column values;
  private final int representationWidth;
  private int rows;

  /**
   * @param values still empty
   * @param representationWidth 0 for logits
   */
  ExternalColumns(Column values, int representationWidth) {
    this.values = values;
    this.representationWidth = representationWidth;
  }

  @Override
  public int representationWidth() {
    return representationWidth;
  }

  int rows() {
    return rows;
  }

  private int width() {
    return Math.max(1, representationWidth);
  }

  void add(float[] numbers) {
    long at = (long) rows++ * numbers.length;
    values.reserve(at + numbers.length, Float.BYTES);
    for (float number : numbers) {
      values.setFloat(at++, number);
    }
  }

  /** Makes each number of a representation one of mean 0 and deviation 1 over training rows. */
  void standardise(IntPredicate trains) {
    for (int k = 0; k < representationWidth; k++) {
      long count = 0;
      double mean = 0;
      double squares = 0;
      for (int row = 0; row < rows; row++) {
        if (trains.test(row)) {
          // Welford 1962, as for features that are numbers.
          count++;
          double number = values.getFloat((long) row * representationWidth + k);
          double before = number - mean;
          mean += before / count;
          squares += before * (number - mean);
        }
      }
      double deviation = squares > 0 ? Math.sqrt(squares / count) : 1;
      for (int row = 0; row < rows; row++) {
        long at = (long) row * representationWidth + k;
        values.setFloat(at, (float) ((values.getFloat(at) - mean) / deviation));
      }
    }
  }

  @Override
  public void score(ExternalBatch batch, float[] out) {
    int width = width();
    for (int b = 0; b < batch.size(); b++) {
      long from = (long) batch.row(b) * width;
      for (int k = 0; k < width; k++) {
        out[b * width + k] = values.getFloat(from + k);
      }
    }
  }
}
