package org.llm4msr.cuda;

import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** A module of kernels in a context. */
final class KernelModule extends Handle {
  /** What every kernel may have of dynamic shared memory without asking. */
  private static final int USUAL_SHARED_BYTES = 48 << 10;

  private final CUmodule module;
  private final Map<String, RawFunction> functions = new HashMap<>();

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
    return raw(kernel).pointer();
  }

  /** The same for launches with so many bytes of dynamic shared memory. */
  long function(String kernel, int sharedBytes) {
    RawFunction raw = raw(kernel);
    if (sharedBytes > USUAL_SHARED_BYTES) {
      CudaException.check(
          JCudaDriver.cuFuncSetAttribute(
              raw,
              CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
              sharedBytes),
          "cuFuncSetAttribute",
          kernel);
    }
    return raw.pointer();
  }

  private RawFunction raw(String kernel) {
    return functions.computeIfAbsent(
        kernel,
        name -> {
          RawFunction raw = new RawFunction();
          int code = JCudaDriver.cuModuleGetFunction(raw, module, name);
          if (code == CUresult.CUDA_ERROR_NOT_FOUND) {
            throw new IllegalArgumentException("there is no kernel '" + name + "'");
          }
          CudaException.check(code, "cuModuleGetFunction", name);
          return raw;
        });
  }

  @Override
  int release() {
    return JCudaDriver.cuModuleUnload(module);
  }
}
