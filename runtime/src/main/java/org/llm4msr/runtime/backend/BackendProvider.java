package org.llm4msr.runtime.backend;

/** Found by {@link java.util.ServiceLoader}; says whether its backend can run here. */
public interface BackendProvider {
  /** Short name as given to {@code --device}. */
  String name();

  /** Higher is preferred when the user names no device. */
  int priority();

  /** Looks without side effects; never throws. */
  Availability availability();

  /**
   * @throws org.llm4msr.runtime.UserError if it is unavailable, with the reason
   */
  Backend open(BackendOptions options);

  /**
   * @param explanation what is there, or why not and what to do
   */
  record Availability(boolean available, String explanation) {}
}
