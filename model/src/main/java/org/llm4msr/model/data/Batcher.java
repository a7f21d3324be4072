package org.llm4msr.model.data;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Cuts rows into mini-batches, epoch after epoch. The order of an epoch is a function of the seed
 * and the epoch's number, so that {@link #state} is two numbers. {@link #next} allocates nothing.
 *
 * <p>For one thread.
 */
public final class Batcher {

  /**
   * Where a batcher stands: restoring it gives the same batches as going on would have.
   *
   * @param epoch from 0
   * @param position rows of the epoch already given out
   */
  public record State(int epoch, int position) {}

  private final Dataset dataset;
  private final Folds folds;
  private final int batchSize;
  private final long seed;
  private final boolean shuffled;
  private final BalancedRows balanced;
  private final Field[] fields;
  private final int columns;
  private final int factorColumns;
  private final ExternalScores external;

  private final int[] order;
  private final int[] batchRows;
  private final int[] scenarioCursor;
  private final int[] slotOfProfile;
  private final int[] profileCursor;
  private int epoch;
  private int position;

  /**
   * @param rows the batcher's own from now on if they are shuffled
   * @param shuffled of training rows, anew in every epoch
   */
  private Batcher(
      Dataset dataset,
      int[] rows,
      int batchSize,
      Folds folds,
      long seed,
      boolean shuffled,
      boolean balance) {
    if (batchSize < 1) {
      throw new IllegalArgumentException("batch size must be at least 1, but is " + batchSize);
    }
    this.dataset = dataset;
    this.folds = folds;
    this.batchSize = batchSize;
    this.seed = seed;
    this.shuffled = shuffled;
    order = rows;
    balanced = balance ? new BalancedRows(dataset, order, seed) : null;
    fields = dataset.fields().toArray(Field[]::new);
    columns = dataset.idColumns();
    factorColumns = dataset.factorColumns();
    external = dataset.externalScores();
    batchRows = new int[Math.min(batchSize, Math.max(1, order.length))];
    scenarioCursor = new int[dataset.scenarios().size()];
    slotOfProfile = new int[folds.profiles(dataset)];
    profileCursor = new int[batchRows.length];
    startEpoch(0);
  }

  /** Training rows, shuffled anew in every epoch. */
  public static Batcher training(Dataset dataset, int batchSize, Folds folds, long seed) {
    return training(dataset, batchSize, folds, seed, false);
  }

  /**
   * @param balance whether an epoch has equally many rows of every scenario; small ones then come
   *     several times, large ones take several epochs to come round
   */
  public static Batcher training(
      Dataset dataset, int batchSize, Folds folds, long seed, boolean balance) {
    return new Batcher(dataset, dataset.rowsOf(Split.TRAIN), batchSize, folds, seed, true, balance);
  }

  /** The rows of {@code part} in the log's order, the same in every epoch. */
  public static Batcher inOrder(Dataset dataset, Split part, int batchSize, Folds folds) {
    return inOrder(dataset, dataset.rowsOf(part), batchSize, folds);
  }

  /**
   * The given rows in their order, the same in every epoch.
   *
   * @param rows read, not changed; must stay as they are
   */
  public static Batcher inOrder(Dataset dataset, int[] rows, int batchSize, Folds folds) {
    return new Batcher(dataset, rows, batchSize, folds, 0, false, false);
  }

  /** Rows of one epoch. */
  public int rowsPerEpoch() {
    return order.length;
  }

  /** Batches of one epoch, the last one possibly smaller. */
  public int batchesPerEpoch() {
    return Math.ceilDiv(order.length, batchSize);
  }

  public State state() {
    return new State(epoch, position);
  }

  /** Goes to where another batcher with the same data set, sizes and seed stood. */
  public void restore(State state) {
    if (state.epoch < 0 || state.position < 0 || state.position > order.length) {
      throw new IllegalArgumentException("no such place in " + order.length + " rows: " + state);
    }
    startEpoch(state.epoch);
    position = state.position;
  }

  private void startEpoch(int number) {
    epoch = number;
    position = 0;
    if (balanced != null) {
      balanced.draw(number, order);
    } else if (shuffled) {
      dataset.rowsOf(Split.TRAIN, order);
    }
    if (shuffled) {
      StableHash.shuffle(order, StableHash.combine(seed, number));
    }
  }

  /**
   * Fills {@code batch} with the next rows.
   *
   * @return false at the end of the epoch, with the batch left alone; the next call then begins the
   *     next epoch
   */
  public boolean next(Batch batch) {
    if (position == order.length) {
      startEpoch(epoch + 1);
      return false;
    }
    int size = Math.min(batchSize, order.length - position);
    if (batch.capacity() < size
        || batch.columns() != columns
        || batch.factorColumns() != factorColumns
        || batch.externalColumns() != dataset.externalColumns()
        || batch.scenarios() != scenarioCursor.length) {
      throw new IllegalArgumentException(
          "a batch for %d rows, %d ids, %d scenarios cannot hold %d rows, %d ids, %d scenarios"
              .formatted(
                  batch.capacity(),
                  batch.columns(),
                  batch.scenarios(),
                  size,
                  columns,
                  scenarioCursor.length));
    }
    sortByScenario(batch, size);
    writeRows(batch, size);
    groupByProfile(batch, size);
    position += size;
    batch.size = size;
    return true;
  }

  /** Counting sort of the next rows, stable, into {@code batchRows}. */
  private void sortByScenario(Batch batch, int size) {
    MemorySegment offsets = batch.scenarioOffsets();
    Arrays.fill(scenarioCursor, 0);
    for (int i = 0; i < size; i++) {
      scenarioCursor[dataset.scenario(order[position + i])]++;
    }
    int start = 0;
    for (int s = 0; s < scenarioCursor.length; s++) {
      offsets.setAtIndex(JAVA_INT, s, start);
      int count = scenarioCursor[s];
      scenarioCursor[s] = start;
      start += count;
    }
    offsets.setAtIndex(JAVA_INT, scenarioCursor.length, start);
    for (int i = 0; i < size; i++) {
      int row = order[position + i];
      batchRows[scenarioCursor[dataset.scenario(row)]++] = row;
    }
  }

  private void writeRows(Batch batch, int size) {
    MemorySegment ids = batch.ids();
    MemorySegment factors = batch.factors();
    MemorySegment labels = batch.labels();
    MemorySegment.copy(batchRows, 0, batch.rows(), JAVA_INT, 0, size);
    long at = 0;
    long factorAt = 0;
    for (int b = 0; b < size; b++) {
      int row = batchRows[b];
      for (Field field : fields) {
        int index = dataset.entry(field, row);
        for (int k = 0; k < field.length(); k++) {
          ids.setAtIndex(JAVA_INT, at++, field.id(index, k));
          if (field.isWeighted()) {
            factors.setAtIndex(JAVA_FLOAT, factorAt++, field.factor(index, k));
          }
        }
      }
      labels.setAtIndex(JAVA_FLOAT, b, dataset.label(row));
    }
    if (external != null) {
      external.write(batchRows, size, batch.external());
    }
  }

  /**
   * Counting sort of the batch's positions by profile; a slot of 0 means not seen in this batch.
   */
  private void groupByProfile(Batch batch, int size) {
    MemorySegment profiles = batch.profiles();
    MemorySegment profileOfRow = batch.profileOfRow();
    MemorySegment offsets = batch.profileOffsets();
    int count = 0;
    for (int b = 0; b < size; b++) {
      int profile = folds.profile(dataset, batchRows[b]);
      int slot = slotOfProfile[profile];
      if (slot == 0) {
        profiles.setAtIndex(JAVA_INT, count, profile);
        profileCursor[count] = 0;
        slotOfProfile[profile] = slot = ++count;
      }
      profileCursor[slot - 1]++;
      profileOfRow.setAtIndex(JAVA_INT, b, slot - 1);
    }
    int start = 0;
    for (int p = 0; p < count; p++) {
      offsets.setAtIndex(JAVA_INT, p, start);
      int rows = profileCursor[p];
      profileCursor[p] = start;
      start += rows;
      slotOfProfile[profiles.getAtIndex(JAVA_INT, p)] = 0;
    }
    offsets.setAtIndex(JAVA_INT, count, start);
    for (int b = 0; b < size; b++) {
      int p = profileOfRow.getAtIndex(JAVA_INT, b);
      batch.profileOrder().setAtIndex(JAVA_INT, profileCursor[p]++, b);
    }
    batch.profileCount = count;
  }
}
