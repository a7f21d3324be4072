package org.llm4msr.runtime;

/**
 * A mistake that the user can put right: a bad file, a bad option, a full disk. The message is one
 * line that names what is wrong, where, what was expected and what to do; the command line prints
 * it without a stack trace and ends with exit code 1.
 */
public final class UserError extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public UserError(String message) {
    super(message);
  }

  public UserError(String message, Throwable cause) {
    super(message, cause);
  }
}
