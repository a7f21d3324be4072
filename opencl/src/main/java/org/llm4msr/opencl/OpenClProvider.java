package org.llm4msr.opencl;

import java.util.List;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;

/** Available where an OpenCL loader knows a device with a compiler; only used when it is named. */
public final class OpenClProvider implements BackendProvider {
  /** Below the C kernels: on a CPU they are faster, and a GPU is worth being named. */
  private static final int PRIORITY = 10;

  @Override
  public String name() {
    return OpenClBackend.NAME;
  }

  @Override
  public int priority() {
    return PRIORITY;
  }

  @Override
  public Availability availability() {
    return OpenCl.availability();
  }

  @Override
  public List<String> devices() {
    return OpenCl.devices().stream().map(OpenCl.DeviceInfo::description).toList();
  }

  @Override
  public Backend open(BackendOptions options) {
    Availability availability = availability();
    if (!availability.available()) {
      throw new UserError("the opencl backend is not available: " + availability.explanation());
    }
    List<OpenCl.DeviceInfo> devices = OpenCl.devices();
    if (options.device() >= devices.size()) {
      throw new UserError(
          "there is no OpenCL device " + options.device() + "; there are " + devices.size());
    }
    return new OpenClBackend(devices.get(options.device()));
  }
}
