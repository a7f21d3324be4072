package org.llm4msr.app.command;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Ctrl-C as a wish to stop: the work notices it, saves what it has and ends; only then the virtual
 * machine goes down, with exit code 130. A second Ctrl-C cannot hurry it, {@code kill -9} can:
 * whatever is saved is saved whole.
 */
final class Interrupt implements AutoCloseable {
  /** Exit code of a process that Ctrl-C ended. */
  static final int EXIT_CODE = 130;

  private static final long LONGEST_SECONDS = 60;

  private final CountDownLatch done = new CountDownLatch(1);
  private final Thread hook = new Thread(this::stop, "llm4msr-interrupt");
  private volatile boolean requested;

  /** Listens from now on. */
  Interrupt() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  private void stop() {
    requested = true;
    try {
      done.await(LONGEST_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether the work should stop. */
  boolean isRequested() {
    return requested;
  }

  @Override
  public void close() {
    done.countDown();
    if (!requested) {
      Runtime.getRuntime().removeShutdownHook(hook);
    }
  }
}
