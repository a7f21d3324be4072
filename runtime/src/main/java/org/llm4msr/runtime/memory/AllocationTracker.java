package org.llm4msr.runtime.memory;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts native memory, and with {@code -Dllm4msr.checkAllocations=true} remembers where each open
 * buffer came from, so that a test can name what leaked.
 */
public final class AllocationTracker {
  private static final boolean CHECK = Boolean.getBoolean("llm4msr.checkAllocations");
  private static final Set<Entry> OPEN = ConcurrentHashMap.newKeySet();
  private static final AtomicLong OPEN_BYTES = new AtomicLong();

  private AllocationTracker() {}

  /** One open allocation; {@code origin} is null unless the check is on. */
  public static final class Entry {
    private final String label;
    private final long byteSize;
    private final Throwable origin;

    private Entry(String label, long byteSize, Throwable origin) {
      this.label = label;
      this.byteSize = byteSize;
      this.origin = origin;
    }

    public String label() {
      return label;
    }

    public long byteSize() {
      return byteSize;
    }

    public Throwable origin() {
      return origin;
    }
  }

  /** Notes that an owner has opened a native resource of {@code byteSize} bytes. */
  public static Entry opened(String label, long byteSize) {
    Entry entry = new Entry(label, byteSize, CHECK ? new Throwable("opened here: " + label) : null);
    OPEN_BYTES.addAndGet(byteSize);
    if (CHECK) {
      OPEN.add(entry);
    }
    return entry;
  }

  /** Notes that it has been closed. */
  public static void closed(Entry entry) {
    OPEN_BYTES.addAndGet(-entry.byteSize);
    OPEN.remove(entry);
  }

  /** Native bytes open now. */
  public static long openBytes() {
    return OPEN_BYTES.get();
  }

  /** What is open now; empty unless the check is on. */
  public static List<Entry> open() {
    return new ArrayList<>(OPEN);
  }
}
