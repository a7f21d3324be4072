package org.llm4msr.runtime;

/**
 * A mistake that a user can mend: the message is one clear line that names the file or option, what
 * was found, what was expected and what to do. The command line prints it without a stack trace and
 * ends with exit code 1.
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
