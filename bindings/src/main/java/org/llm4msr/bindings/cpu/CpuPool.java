package org.llm4msr.bindings.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Native threads and scratch memory for the kernels. The calling thread takes part in the work, so
 * a pool of one thread starts none. Any thread may use it; calls run one after another. Close it
 * when no call is in progress.
 */
public final class CpuPool implements AutoCloseable {
  private static final MethodHandle CREATE = CpuLibrary.kernel("pool_create", "IP");
  private static final MethodHandle DESTROY = CpuLibrary.kernel("pool_destroy", "P");

  private final int threads;
  private MemorySegment handle;

  /**
   * @param threads working threads, the caller included, in [1, 1024]
   * @throws IllegalStateException if they cannot be started
   */
  public CpuPool(int threads) {
    if (threads < 1 || threads > 1024) {
      throw new IllegalArgumentException("threads must be in [1, 1024], not " + threads);
    }
    this.threads = threads;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      CpuLibrary.check((int) CREATE.invokeExact(threads, out), "creating the thread pool");
      handle = out.get(ValueLayout.ADDRESS, 0);
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }

  public int threads() {
    return threads;
  }

  MemorySegment handle() {
    MemorySegment current = handle;
    if (current == null) {
      throw new IllegalStateException("the thread pool is closed");
    }
    return current;
  }

  /** Stops the threads and frees the scratch memory; closing twice is harmless. */
  @Override
  public synchronized void close() {
    if (handle == null) {
      return;
    }
    MemorySegment closing = handle;
    handle = null;
    try {
      CpuLibrary.check((int) DESTROY.invokeExact(closing), "closing the thread pool");
    } catch (Throwable e) {
      throw CpuLibrary.unexpected(e);
    }
  }
}
