package org.llm4msr.app.serve;

import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Requests between their arrival and their thread's first instruction. Virtual threads have no
 * limit of their own: when the processors are behind, requests queue here, and those too many are
 * told so as soon as they run, without being worked on.
 */
final class Arrivals implements Executor {
  private static final ScopedValue<Boolean> TOO_MANY = ScopedValue.newInstance();

  private final Executor threads;
  private final int most;
  private final long waitNanos;
  private final AtomicInteger waiting = new AtomicInteger();

  /**
   * @param threads run the requests
   * @param most requests that may wait for a processor
   * @param waitMillis how long each may
   */
  Arrivals(Executor threads, int most, long waitMillis) {
    this.threads = threads;
    this.most = most;
    waitNanos = TimeUnit.MILLISECONDS.toNanos(waitMillis);
  }

  @Override
  public void execute(Runnable request) {
    boolean crowded = waiting.incrementAndGet() > most;
    long arrivedNanos = System.nanoTime();
    try {
      threads.execute(() -> run(request, crowded, arrivedNanos));
    } catch (RuntimeException | Error e) {
      waiting.decrementAndGet();
      throw e;
    }
  }

  private void run(Runnable request, boolean crowded, long arrivedNanos) {
    waiting.decrementAndGet();
    if (crowded || System.nanoTime() - arrivedNanos > waitNanos) {
      ScopedValue.where(TOO_MANY, true).run(request);
    } else {
      request.run();
    }
  }

  /** Whether the request that this thread runs came behind too many, or waited too long. */
  static boolean tooMany() {
    return TOO_MANY.isBound();
  }
}
