package org.llm4msr.model.recommender;

import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/** On the backends that every machine has. */
class RecommenderGoldenTest extends RecommenderGoldenSuite {
  private static final Setting[] SETTINGS = {
    inF64("reference"),
    inF64("reference").forming(),
    inF32("reference"),
    inF32("cpu"),
    inF32("cpu").forming(),
  };

  static Stream<Arguments> cases() {
    return casesFor(SETTINGS);
  }

  static Stream<Arguments> streams() {
    return streamsFor(SETTINGS);
  }
}
