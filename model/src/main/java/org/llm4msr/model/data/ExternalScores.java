package org.llm4msr.model.data;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.llm4msr.runtime.UserError;

/** Asks an existing recommender and checks what it says. For one thread. */
public final class ExternalScores {
  private final Dataset dataset;
  private final ExternalRecommender recommender;
  private final int width;
  private final ExternalBatch batch;
  private float[] out = {};

  /**
   * @param width numbers of a row
   */
  ExternalScores(Dataset dataset, ExternalRecommender recommender, int width) {
    this.dataset = dataset;
    this.recommender = recommender;
    this.width = width;
    batch = new ExternalBatch(dataset);
  }

  /**
   * Writes what it says of rows, their logits or their representations one after the other.
   *
   * @param rows numbers of rows in the data set, of which the first {@code size} are meant
   * @param to float32, room for {@code size} times a row's numbers
   * @throws UserError if the recommender throws an exception or leaves a number that is not finite
   */
  public void write(int[] rows, int size, MemorySegment to) {
    if (size == 0) {
      return;
    }
    // Of the exact length, so that writing beyond a row is noticed.
    if (out.length != size * width) {
      out = new float[size * width];
    }
    Arrays.fill(out, Float.NaN);
    batch.set(rows, size);
    try {
      synchronized (recommender) {
        recommender.score(batch, out);
      }
    } catch (Exception e) {
      throw failure(rows, size, e);
    }
    MemorySegment.copy(out, 0, to, JAVA_FLOAT, 0, out.length);
    for (int i = 0; i < out.length; i++) {
      float number = to.getAtIndex(JAVA_FLOAT, i);
      if (!Float.isFinite(number)) {
        throw notFinite(rows[i / width], i % width, number);
      }
    }
  }

  private UserError failure(int[] rows, int size, Exception e) {
    String expected = size + (width > 1 ? " x " + width : "") + " numbers";
    return new UserError(
        "the existing recommender %s failed when asked for %s, one batch that begins with row %d (%s): %s"
            .formatted(name(), expected, rows[0], described(rows[0]), e),
        e);
  }

  private UserError notFinite(int row, int column, float number) {
    boolean logit = dataset.representationWidth() == 0;
    return new UserError(
        "the existing recommender %s gave %s for row %d (%s), expected %s"
            .formatted(
                name(),
                Float.isNaN(number) ? "nothing or NaN" : number,
                row,
                described(row),
                logit
                    ? "a finite logit log(p / (1 - p)) of its probability p"
                    : "a finite number at place %d of %d of its representation"
                        .formatted(column + 1, width)));
  }

  private String name() {
    return recommender.getClass().getName();
  }

  private String described(int row) {
    return "user %s, item %s, scenario %s"
        .formatted(
            dataset.userKey(dataset.user(row)),
            dataset.itemKey(dataset.item(row)),
            dataset.scenarios().get(dataset.scenario(row)).name());
  }
}
