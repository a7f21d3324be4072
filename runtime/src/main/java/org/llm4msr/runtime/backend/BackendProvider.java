package org.llm4msr.runtime.backend;

import java.util.List;

/** Found by {@link java.util.ServiceLoader}; says whether its backend can run here. */
public interface BackendProvider {
  /** Short name as given to {@code --device}. */
  String name();

  /** Higher is preferred when the user names no device. */
  int priority();

  /** Looks without side effects; never throws. */
  Availability availability();

  /**
   * What an available backend can run on, one line each, in the order of {@link
   * BackendOptions#device}.
   */
  default List<String> devices() {
    return List.of(availability().explanation());
  }

  /**
   * @throws org.llm4msr.runtime.UserError if it is unavailable or lacks the device, with the reason
   */
  Backend open(BackendOptions options);

  /**
   * @param explanation what is there, or why not and what to do
   */
  record Availability(boolean available, String explanation) {}
}
