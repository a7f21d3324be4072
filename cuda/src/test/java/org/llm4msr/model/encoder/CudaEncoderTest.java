package org.llm4msr.model.encoder;

import org.junit.jupiter.api.extension.ExtendWith;
import org.llm4msr.cuda.CudaProvider;
import org.llm4msr.cuda.StandIn;
import org.llm4msr.runtime.backend.BackendProvider;

/** On a GPU, or what stands in for one. */
@ExtendWith(StandIn.class)
class CudaEncoderTest extends DeviceEncoderSuite {
  @Override
  BackendProvider provider() {
    return new CudaProvider();
  }
}
