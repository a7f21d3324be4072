package org.llm4msr.cuda;

import java.util.Set;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.llm4msr.runtime.backend.DeviceException;

/** A call of the driver that failed: which, and the driver's name of the error. */
final class CudaException extends DeviceException {
  private static final long serialVersionUID = 1;

  /** After these the driver refuses everything that this process asks of the device. */
  private static final Set<Integer> LOST =
      Set.of(
          46, // CUDA_ERROR_DEVICE_UNAVAILABLE
          CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
          CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
          CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_LAUNCH_FAILED,
          721, // CUDA_ERROR_CONTAINED
          CUresult.CUDA_ERROR_UNKNOWN);

  private final int code;

  private CudaException(int code, String message) {
    super(message);
    this.code = code;
  }

  int code() {
    return code;
  }

  /** Whether a code means that the device is lost to this process. */
  static boolean isLost(int code) {
    return LOST.contains(code);
  }

  /**
   * @throws CudaException unless the code is success
   */
  static void check(int code, String function) {
    if (code != CUresult.CUDA_SUCCESS) {
      throw of(code, function, "");
    }
  }

  /** For a call that works on something with a name, such as a kernel. */
  static void check(int code, String function, String what) {
    if (code != CUresult.CUDA_SUCCESS) {
      throw of(code, function, " of " + what);
    }
  }

  private static CudaException of(int code, String function, String what) {
    return new CudaException(
        code,
        function
            + what
            + " failed with "
            + describe(code)
            + (isLost(code) ? "; the device is lost to this process" : ""));
  }

  /** The driver's name of an error and what it says about it. */
  static String describe(int code) {
    String[] name = new String[1];
    String[] text = new String[1];
    JCudaDriver.cuGetErrorName(code, name);
    JCudaDriver.cuGetErrorString(code, text);
    if (name[0] == null) {
      return "the error " + code + " that the driver has no name for";
    }
    return text[0] == null ? name[0] : name[0] + " (" + text[0] + ")";
  }
}
