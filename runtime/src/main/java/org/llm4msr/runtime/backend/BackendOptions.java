package org.llm4msr.runtime.backend;

/**
 * @param threads worker threads including the caller, at least 1; for devices that have their own
 *     it means nothing
 * @param device which of the backend's devices, from 0; see {@link BackendProvider#devices}
 */
public record BackendOptions(int threads, int device) {
  public BackendOptions {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1, not " + threads);
    }
    if (device < 0) {
      throw new IllegalArgumentException("devices count from 0, not " + device);
    }
  }

  /** The backend's first device. */
  public BackendOptions(int threads) {
    this(threads, 0);
  }

  /** One thread per processor that this process may use. */
  public static BackendOptions defaults() {
    return new BackendOptions(Runtime.getRuntime().availableProcessors());
  }
}
