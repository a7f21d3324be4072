package org.llm4msr.model.data;

import java.util.Objects;

/**
 * Rows that an {@link ExternalRecommender} is asked about. They are named by their numbers in the
 * data set, and so are their users and items; {@link #dataset} knows everything else of them.
 */
public final class ExternalBatch {
  private final Dataset dataset;
  private int[] rows;
  private int size;

  ExternalBatch(Dataset dataset) {
    this.dataset = dataset;
  }

  void set(int[] batchRows, int batchSize) {
    rows = batchRows;
    size = batchSize;
  }

  public Dataset dataset() {
    return dataset;
  }

  /** How many rows, at least 1. */
  public int size() {
    return size;
  }

  /**
   * The number in the data set of the row at {@code position} in [0, size).
   *
   * @throws IndexOutOfBoundsException for another position, here and below
   */
  public int row(int position) {
    return rows[Objects.checkIndex(position, size)];
  }

  /** Dense index of the row's user in the data set. */
  public int user(int position) {
    return dataset.user(row(position));
  }

  /** Dense index of the row's item in the data set. */
  public int item(int position) {
    return dataset.item(row(position));
  }

  /** Index of the row's scenario in the data set's list. */
  public int scenario(int position) {
    return dataset.scenario(row(position));
  }

  /** The id of the row's user as in the log. */
  public String userKey(int position) {
    return dataset.userKey(user(position));
  }

  /** The id of the row's item as in the log. */
  public String itemKey(int position) {
    return dataset.itemKey(item(position));
  }
}
