package org.llm4msr.model.training;

import org.junit.jupiter.api.extension.ExtendWith;
import org.llm4msr.cuda.CudaProvider;
import org.llm4msr.cuda.StandIn;
import org.llm4msr.runtime.backend.BackendProvider;

/** On a GPU, or what stands in for one. */
@ExtendWith(StandIn.class)
class CudaTrainingTest extends DeviceTrainingSuite {
  @Override
  BackendProvider provider() {
    return new CudaProvider();
  }
}
