package org.llm4msr.cuda;

import java.util.List;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;

/** Available where an NVIDIA driver knows a GPU; only used when it is named. */
public final class CudaProvider implements BackendProvider {
  /** Below the C kernels: a GPU is worth being named. */
  private static final int PRIORITY = 20;

  @Override
  public String name() {
    return CudaBackend.NAME;
  }

  @Override
  public int priority() {
    return PRIORITY;
  }

  @Override
  public Availability availability() {
    return CudaDevices.found().availability();
  }

  @Override
  public List<String> devices() {
    return CudaDevices.found().devices().stream().map(CudaDevices.DeviceInfo::description).toList();
  }

  @Override
  public Backend open(BackendOptions options) {
    Availability availability = availability();
    if (!availability.available()) {
      throw new UserError("the cuda backend is not available: " + availability.explanation());
    }
    List<CudaDevices.DeviceInfo> devices = CudaDevices.found().devices();
    if (options.device() >= devices.size()) {
      throw new UserError(
          "there is no CUDA device " + options.device() + "; there are " + devices.size());
    }
    return new CudaBackend(devices.get(options.device()));
  }
}
