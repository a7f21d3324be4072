package org.llm4msr.bindings.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Memory in pages of 2 MiB where the system gives them to those who ask (on Linux {@code madvise}
 * with {@code MADV_HUGEPAGE}), in ordinary ones elsewhere.
 */
public final class LargePages {
  /** Of smaller arrays too much of the last page would lie idle. */
  public static final long WORTH_BYTES = 4L << 20;

  private static final MethodHandle MAP = CpuLibrary.kernel("map", "LP");
  private static final MethodHandle UNMAP = CpuLibrary.kernel("unmap", "PL");

  private LargePages() {}

  /**
   * Zeroed memory that begins at a page's boundary and lives as long as the arena.
   *
   * @param byteSize positive
   * @throws IllegalArgumentException if it is not, or no memory could be as large
   * @throws OutOfMemoryError if the system has no room
   */
  public static MemorySegment allocate(long byteSize, Arena arena) {
    if (byteSize < 1) {
      throw new IllegalArgumentException("byteSize must be positive, not " + byteSize);
    }
    try (Arena local = Arena.ofConfined()) {
      MemorySegment out = local.allocate(ValueLayout.ADDRESS);
      int code = (int) MAP.invokeExact(byteSize, out);
      if (code == CpuLibrary.OUT_OF_MEMORY) {
        throw new OutOfMemoryError("cannot reserve " + byteSize + " bytes of native memory");
      }
      CpuLibrary.check(code, "reserving memory");
      return out.get(ValueLayout.ADDRESS, 0).reinterpret(byteSize, arena, LargePages::unmap);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  private static void unmap(MemorySegment memory) {
    try {
      CpuLibrary.check((int) UNMAP.invokeExact(memory, memory.byteSize()), "giving back memory");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
