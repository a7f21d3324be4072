package org.llm4msr.model.training;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterAll;
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

  /** Lookups of all fields at once; tables that step without their gradient being written down. */
  @AfterAll
  static void ranTheKernelsThatDoSeveralThingsAtOnce() {
    if (StandIn.isThere()) {
      assertThat(StandIn.count("embedding_concat")).isPositive();
      assertThat(StandIn.count("segment_adam")).isPositive();
    }
  }
}
