package org.llm4msr.cuda;

import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** A module of kernels in a context. */
final class KernelModule extends Handle {
  private final CUmodule module;
  private final Map<String, Long> functions = new HashMap<>();

  private static final class RawFunction extends CUfunction {
    long pointer() {
      return getNativePointer();
    }
  }

  private KernelModule(String name, CUmodule module) {
    super("module " + name + " of the cuda backend", 0, "cuModuleUnload");
    this.module = module;
  }

  /**
   * @param image a cubin, or PTX that ends with a zero
   * @throws CudaException if the driver does not take it
   */
  static KernelModule load(String name, byte[] image) {
    CUmodule module = new CUmodule();
    CudaException.check(JCudaDriver.cuModuleLoadData(module, image), "cuModuleLoadData", name);
    return new KernelModule(name, module);
  }

  /**
   * The driver's handle of a kernel, valid until the module is closed.
   *
   * @throws IllegalArgumentException if there is no kernel of that name
   */
  long function(String kernel) {
    return functions.computeIfAbsent(
        kernel,
        name -> {
          RawFunction raw = new RawFunction();
          int code = JCudaDriver.cuModuleGetFunction(raw, module, name);
          if (code == CUresult.CUDA_ERROR_NOT_FOUND) {
            throw new IllegalArgumentException("there is no kernel '" + name + "'");
          }
          CudaException.check(code, "cuModuleGetFunction", name);
          return raw.pointer();
        });
  }

  @Override
  int release() {
    return JCudaDriver.cuModuleUnload(module);
  }
}
