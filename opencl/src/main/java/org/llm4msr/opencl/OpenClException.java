package org.llm4msr.opencl;

import org.jocl.CL;
import org.llm4msr.runtime.backend.DeviceException;

/** A call of OpenCL that failed: which, and the code's name. */
final class OpenClException extends DeviceException {
  private static final long serialVersionUID = 1;

  private final int code;

  OpenClException(int code, String call, String detail) {
    super(
        call
            + " failed with "
            + CL.stringFor_errorCode(code)
            + (detail.isEmpty() ? "" : ": " + detail));
    this.code = code;
  }

  int code() {
    return code;
  }

  /**
   * @throws OpenClException unless the code is success
   */
  static void check(int code, String call) {
    if (code != CL.CL_SUCCESS) {
      throw new OpenClException(code, call, "");
    }
  }
}
