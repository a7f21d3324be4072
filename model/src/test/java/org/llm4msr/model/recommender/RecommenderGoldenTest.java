package org.llm4msr.model.recommender;

import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;
import org.llm4msr.runtime.DType;

/** On the backends that every machine has. */
class RecommenderGoldenTest extends RecommenderGoldenSuite {
  private static final Setting[] SETTINGS = {
    new Setting("reference", DType.F64, 1e-9, 1e-9, 1e-9), inF32("reference"), inF32("cpu"),
  };

  static Stream<Arguments> cases() {
    return casesFor(SETTINGS);
  }

  static Stream<Arguments> streams() {
    return streamsFor(SETTINGS);
  }
}
