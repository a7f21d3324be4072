package org.llm4msr.runtime.backend;

/** What a backend keeps for a matrix that does not change; see {@link Backend#freeze}. */
@FunctionalInterface
public interface Frozen extends AutoCloseable {
  /** Ends the promise and frees what was kept; closing twice is harmless. */
  @Override
  void close();
}
