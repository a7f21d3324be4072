package org.llm4msr.bench.suite;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/** CPU time of a thread, which other processes disturb least. */
final class Clock {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private Clock() {}

  static long threadNanos() {
    return THREADS.getCurrentThreadCpuTime();
  }
}
