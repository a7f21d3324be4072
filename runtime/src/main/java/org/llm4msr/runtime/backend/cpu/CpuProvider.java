package org.llm4msr.runtime.backend.cpu;

import java.util.List;
import org.llm4msr.bindings.cpu.CpuLibrary;
import org.llm4msr.bindings.cpu.Isa;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;

/** Available wherever the native kernels were built and load. */
public final class CpuProvider implements BackendProvider {
  private static final int PRIORITY = 100;

  @Override
  public String name() {
    return CpuBackend.NAME;
  }

  @Override
  public int priority() {
    return PRIORITY;
  }

  @Override
  public Availability availability() {
    CpuLibrary.Availability library = CpuLibrary.availability();
    return library.available()
        ? new Availability(true, "C kernels for " + Isa.selected())
        : new Availability(false, library.explanation());
  }

  @Override
  public List<String> devices() {
    return List.of(
        availability().explanation() + ", threads " + BackendOptions.defaults().threads());
  }

  @Override
  public Backend open(BackendOptions options) {
    Availability availability = availability();
    if (!availability.available()) {
      throw new UserError("the cpu backend is not available: " + availability.explanation());
    }
    return new CpuBackend(options.threads());
  }
}
