package org.llm4msr.cuda;

import java.util.List;
import org.junit.jupiter.api.extension.ExtendWith;
import org.llm4msr.runtime.conformance.ConformanceCase;
import org.llm4msr.runtime.conformance.ConformanceSuite;

/** The conformance suite on the first GPU, or on what stands in for one. */
@ExtendWith(StandIn.class)
class CudaConformanceTest extends ConformanceSuite {
  static List<Target> targets() {
    return List.of(new Target(new CudaProvider(), 1));
  }

  @Override
  protected double maxNmse(ConformanceCase conformanceCase) {
    return Rounded.maxNmse(conformanceCase);
  }
}
