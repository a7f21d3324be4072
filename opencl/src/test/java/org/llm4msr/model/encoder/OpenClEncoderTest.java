package org.llm4msr.model.encoder;

import org.llm4msr.opencl.OpenClProvider;
import org.llm4msr.runtime.backend.BackendProvider;

/** On an OpenCL device. */
class OpenClEncoderTest extends DeviceEncoderSuite {
  @Override
  BackendProvider provider() {
    return new OpenClProvider();
  }
}
