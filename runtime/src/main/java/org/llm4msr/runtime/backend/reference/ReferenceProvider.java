package org.llm4msr.runtime.backend.reference;

import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;

/** Always available, never preferred: plain Java. */
public final class ReferenceProvider implements BackendProvider {
  @Override
  public String name() {
    return ReferenceBackend.NAME;
  }

  @Override
  public int priority() {
    return 0;
  }

  @Override
  public Availability availability() {
    return new Availability(true, "plain Java, one thread, slow and exact");
  }

  @Override
  public Backend open(BackendOptions options) {
    return new ReferenceBackend();
  }
}
