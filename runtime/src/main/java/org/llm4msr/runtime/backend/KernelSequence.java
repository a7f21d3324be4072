package org.llm4msr.runtime.backend;

import java.util.List;

/** Kernels that run one after the other, and what a backend keeps to run them faster. */
public interface KernelSequence extends AutoCloseable {
  /** Runs all kernels, with the extents that hold now. */
  void run();

  /** Frees what was kept; closing twice is harmless. */
  @Override
  void close();

  /** Runs each by itself and keeps nothing. */
  static KernelSequence of(List<Kernel> kernels) {
    Kernel[] all = kernels.toArray(Kernel[]::new);
    return new KernelSequence() {
      @Override
      public void run() {
        for (Kernel kernel : all) {
          kernel.run();
        }
      }

      @Override
      public void close() {}
    };
  }
}
