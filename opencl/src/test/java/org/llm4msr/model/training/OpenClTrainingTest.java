package org.llm4msr.model.training;

import org.llm4msr.opencl.OpenClProvider;
import org.llm4msr.runtime.backend.BackendProvider;

/** On an OpenCL device. */
class OpenClTrainingTest extends DeviceTrainingSuite {
  @Override
  BackendProvider provider() {
    return new OpenClProvider();
  }
}
