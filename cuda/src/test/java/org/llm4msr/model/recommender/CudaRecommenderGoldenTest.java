package org.llm4msr.model.recommender;

import java.util.stream.Stream;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.provider.Arguments;
import org.llm4msr.cuda.StandIn;

/** On a GPU, or what stands in for one. */
@ExtendWith(StandIn.class)
class CudaRecommenderGoldenTest extends RecommenderGoldenSuite {
  private static final Setting[] SETTINGS = {
    inF32("cuda"),
  };

  static Stream<Arguments> cases() {
    return casesFor(SETTINGS);
  }

  static Stream<Arguments> streams() {
    return streamsFor(SETTINGS);
  }
}
