package org.llm4msr.model.recommender;

import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/** On an OpenCL device. */
class OpenClRecommenderGoldenTest extends RecommenderGoldenSuite {
  private static final Setting[] SETTINGS = {
    inF32("opencl"),
  };

  static Stream<Arguments> cases() {
    return casesFor(SETTINGS);
  }

  static Stream<Arguments> streams() {
    return streamsFor(SETTINGS);
  }
}
