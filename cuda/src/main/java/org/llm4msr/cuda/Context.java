package org.llm4msr.cuda;

import jcuda.driver.CUcontext;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.llm4msr.runtime.UserError;

/** A device's primary context, which all users in this process share. */
final class Context extends Handle {
  private final CudaDevices.DeviceInfo device;
  private final long pointer;

  private static final class Raw extends CUcontext {
    long pointer() {
      return getNativePointer();
    }
  }

  private Context(CudaDevices.DeviceInfo device, long pointer) {
    super("context of " + device.name(), 0, "cuDevicePrimaryCtxRelease");
    this.device = device;
    this.pointer = pointer;
  }

  /**
   * Retains the device's context and uses it on this thread.
   *
   * @throws UserError if the device has no memory left for it
   */
  static Context of(CudaDevices.DeviceInfo device) {
    Raw raw = new Raw();
    int code = JCudaDriver.cuDevicePrimaryCtxRetain(raw, device.id());
    if (code == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      throw new UserError(
          device.name()
              + " has no memory left for a context; 'nvidia-smi' shows who uses its "
              + CudaDevices.megabytes(device.memoryBytes()));
    }
    CudaException.check(code, "cuDevicePrimaryCtxRetain");
    Context context = new Context(device, raw.pointer());
    try {
      context.use();
    } catch (CudaException e) {
      context.close();
      throw e;
    }
    return context;
  }

  CudaDevices.DeviceInfo device() {
    return device;
  }

  /** Makes this the context of the calling thread, which may be another one than before. */
  void use() {
    CudaException.check(Driver.setCurrent(pointer), "cuCtxSetCurrent");
  }

  /** The same where something is closed, which a lost device must not prevent. */
  int useToClose() {
    return Driver.setCurrent(pointer);
  }

  @Override
  int release() {
    Driver.setCurrent(0);
    return JCudaDriver.cuDevicePrimaryCtxRelease(device.id());
  }
}
