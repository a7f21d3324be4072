package org.llm4msr.model.data;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * Room for one mini-batch, filled again and again by {@link Batcher#next}. Its rows are sorted by
 * scenario. Memory comes from the caller's allocator and lives as long as that says.
 *
 * <p>Notation: B rows, F fields, S scenarios, P distinct profiles (users, or users x folds).
 */
public final class Batch {
  private static final long ALIGNMENT = 64;

  private final int capacity;
  private final int fields;
  private final int scenarios;
  private final MemorySegment ids;
  private final MemorySegment labels;
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
   * @param capacity most rows it can hold, at least 1
   */
  public Batch(SegmentAllocator allocator, int capacity, int fields, int scenarios) {
    this.capacity = capacity;
    this.fields = fields;
    this.scenarios = scenarios;
    ids = ints(allocator, Math.multiplyExact(capacity, fields));
    labels = allocator.allocate(JAVA_FLOAT.byteSize() * capacity, ALIGNMENT);
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

  private static MemorySegment ints(SegmentAllocator allocator, int count) {
    return allocator.allocate(JAVA_INT.byteSize() * count, ALIGNMENT);
  }

  public int capacity() {
    return capacity;
  }

  /** F: ids per row. */
  public int fields() {
    return fields;
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

  /** Field ids, int32 [B, F]. */
  public MemorySegment ids() {
    return ids;
  }

  /** Labels 0 or 1, float32 [B]. */
  public MemorySegment labels() {
    return labels;
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
