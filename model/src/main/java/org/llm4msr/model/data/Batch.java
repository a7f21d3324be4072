package org.llm4msr.model.data;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * Room for one mini-batch, filled again and again by {@link Batcher#next}. Its rows are sorted by
 * scenario. Memory comes from the caller's allocator and lives as long as that says.
 *
 * <p>Notation: B rows, C ids, W factors and E numbers of an existing recommender of a row, S
 * scenarios, P distinct profiles (users, or users x folds).
 */
public final class Batch {
  private static final long ALIGNMENT = 64;

  private final int capacity;
  private final int columns;
  private final int factorColumns;
  private final int externalColumns;
  private final int scenarios;
  private final MemorySegment ids;
  private final MemorySegment factors;
  private final MemorySegment labels;
  private final MemorySegment external;
  private final MemorySegment rows;
  private final MemorySegment scenarioOrder;
  private final MemorySegment scenarioOffsets;
  private final MemorySegment profiles;
  private final MemorySegment profileOfRow;
  private final MemorySegment profileOrder;
  private final MemorySegment profileOffsets;
  int size;
  int profileCount;

  /**
   * For rows of {@code dataset}.
   *
   * @param capacity most rows it can hold, at least 1
   */
  public Batch(SegmentAllocator allocator, int capacity, Dataset dataset) {
    this(
        allocator,
        capacity,
        dataset.idColumns(),
        dataset.factorColumns(),
        dataset.externalColumns(),
        dataset.scenarios().size());
  }

  /**
   * @param capacity most rows it can hold, at least 1
   * @param columns ids of a row
   * @param factorColumns factors of a row
   * @param externalColumns numbers of an existing recommender of a row
   */
  Batch(
      SegmentAllocator allocator,
      int capacity,
      int columns,
      int factorColumns,
      int externalColumns,
      int scenarios) {
    this.capacity = capacity;
    this.columns = columns;
    this.factorColumns = factorColumns;
    this.externalColumns = externalColumns;
    this.scenarios = scenarios;
    ids = ints(allocator, Math.multiplyExact(capacity, columns));
    factors = floats(allocator, Math.multiplyExact(capacity, factorColumns));
    labels = floats(allocator, capacity);
    external = floats(allocator, Math.multiplyExact(capacity, externalColumns));
    rows = ints(allocator, capacity);
    scenarioOrder = ints(allocator, capacity);
    scenarioOffsets = ints(allocator, scenarios + 1);
    profiles = ints(allocator, capacity);
    profileOfRow = ints(allocator, capacity);
    profileOrder = ints(allocator, capacity);
    profileOffsets = ints(allocator, capacity + 1);
    for (int i = 0; i < capacity; i++) {
      scenarioOrder.setAtIndex(JAVA_INT, i, i);
    }
  }

  private static MemorySegment floats(SegmentAllocator allocator, int count) {
    return allocator.allocate(JAVA_FLOAT.byteSize() * count, ALIGNMENT);
  }

  private static MemorySegment ints(SegmentAllocator allocator, int count) {
    return allocator.allocate(JAVA_INT.byteSize() * count, ALIGNMENT);
  }

  public int capacity() {
    return capacity;
  }

  /** C: ids of a row, field after field. */
  public int columns() {
    return columns;
  }

  /** W: factors of a row, weighted field after weighted field. */
  public int factorColumns() {
    return factorColumns;
  }

  /** E: numbers of an existing recommender of a row. */
  public int externalColumns() {
    return externalColumns;
  }

  /** S. */
  public int scenarios() {
    return scenarios;
  }

  /** B: rows in use. */
  public int size() {
    return size;
  }

  /** P: distinct profiles in use. */
  public int profileCount() {
    return profileCount;
  }

  /** Field ids, int32 [B, C]. */
  public MemorySegment ids() {
    return ids;
  }

  /** Factors of the ids that have some, float32 [B, W]. */
  public MemorySegment factors() {
    return factors;
  }

  /** Labels 0 or 1, float32 [B]. */
  public MemorySegment labels() {
    return labels;
  }

  /** The logits or representations of an existing recommender, float32 [B, E]. */
  public MemorySegment external() {
    return external;
  }

  /** The number of each row in the data set, int32 [B]: where a prediction belongs. */
  public MemorySegment rows() {
    return rows;
  }

  /** 0, 1, 2, …, int32 [B]: rows lie sorted by scenario already. */
  public MemorySegment scenarioOrder() {
    return scenarioOrder;
  }

  /** Rows [offsets[s], offsets[s+1]) belong to scenario s, int32 [S+1]. */
  public MemorySegment scenarioOffsets() {
    return scenarioOffsets;
  }

  /** The distinct profiles in order of first appearance, int32 [P]. */
  public MemorySegment profiles() {
    return profiles;
  }

  /** Each row's position in {@link #profiles}, int32 [B]. */
  public MemorySegment profileOfRow() {
    return profileOfRow;
  }

  /** Rows grouped by profile, ascending within one, int32 [B]. */
  public MemorySegment profileOrder() {
    return profileOrder;
  }

  /** Entries [offsets[p], offsets[p+1]) of the order belong to profile p, int32 [P+1]. */
  public MemorySegment profileOffsets() {
    return profileOffsets;
  }
}
