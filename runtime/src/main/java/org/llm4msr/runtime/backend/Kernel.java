package org.llm4msr.runtime.backend;

/** One node, bound to its memory; running it allocates nothing. */
@FunctionalInterface
public interface Kernel {
  /**
   * Reads the current extents from the operands and computes the outputs.
   *
   * @throws IllegalArgumentException if an index in the data is out of range; a backend that runs
   *     behind the host throws it in {@link Backend#finish} instead
   */
  void run();
}
