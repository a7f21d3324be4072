package org.llm4msr.app.serve;

/** A request that is not answered as it wished. */
final class RefusedException extends Exception {
  private static final long serialVersionUID = 1;

  final int status;

  RefusedException(int status, String message) {
    super(message, null, false, false);
    this.status = status;
  }
}
