package org.llm4msr.runtime.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Function;

/** Host memory outside the Java heap: allocated (64-byte aligned, zeroed), or borrowed. */
public final class HostBuffer implements Buffer {
  /** Cache line and AVX-512 vector. */
  public static final long ALIGNMENT = 64;

  private final Arena arena;
  private final MemorySegment segment;
  private final AllocationTracker.Entry entry;

  private HostBuffer(Arena arena, MemorySegment segment, AllocationTracker.Entry entry) {
    this.arena = arena;
    this.segment = segment;
    this.entry = entry;
  }

  /**
   * Allocates zeroed memory.
   *
   * @param label says what it is for when a leak is reported
   */
  public static HostBuffer allocate(long byteSize, String label) {
    return allocate(
        label, arena -> arena.allocate(Math.max(byteSize, 1), ALIGNMENT).asSlice(0, byteSize));
  }

  /**
   * Owns memory that comes from elsewhere than {@link Arena#allocate(long, long)}.
   *
   * @param memory gives memory that lives as long as the arena it is given
   * @param label says what it is for when a leak is reported
   */
  public static HostBuffer allocate(String label, Function<Arena, MemorySegment> memory) {
    Arena arena = Arena.ofShared();
    MemorySegment segment;
    try {
      segment = memory.apply(arena);
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
    return new HostBuffer(arena, segment, AllocationTracker.opened(label, segment.byteSize()));
  }

  /** A view of memory that somebody else owns and keeps open longer, such as a mapped file. */
  public static HostBuffer borrow(MemorySegment segment) {
    if (!segment.isNative()) {
      throw new IllegalArgumentException("heap memory cannot back a tensor");
    }
    return new HostBuffer(null, segment, null);
  }

  @Override
  public long byteSize() {
    return segment.byteSize();
  }

  @Override
  public MemorySegment segment() {
    if (!segment.scope().isAlive()) {
      throw new IllegalStateException("the buffer is closed");
    }
    return segment;
  }

  @Override
  public long address() {
    return segment.address();
  }

  @Override
  public void close() {
    if (arena != null && arena.scope().isAlive()) {
      arena.close();
      AllocationTracker.closed(entry);
    }
  }
}
