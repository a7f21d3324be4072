package org.llm4msr.runtime.backend;

/**
 * A device or its driver failed at work that was right to ask for: lost, out of resources, a kernel
 * that its compiler refuses. What was written to files before is whole.
 */
public class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message one line: the call that failed and how
   */
  public DeviceException(String message) {
    super(message);
  }
}
