package org.llm4msr.opencl;

import java.util.List;
import org.llm4msr.runtime.conformance.ConformanceSuite;

/** The conformance suite on the first OpenCL device. */
class OpenClConformanceTest extends ConformanceSuite {
  static List<Target> targets() {
    return List.of(new Target(new OpenClProvider(), 1));
  }
}
