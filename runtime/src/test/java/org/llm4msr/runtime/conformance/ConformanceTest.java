package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.backend.Backends;

/** The suite on the backends of this module. */
class ConformanceTest extends ConformanceSuite {
  static List<Target> targets() {
    List<Target> targets = new ArrayList<>();
    for (BackendProvider provider : Backends.providers()) {
      targets.add(new Target(provider, 1));
      if (!provider.name().equals("reference")) {
        // An odd number, so that work is shared out unevenly.
        targets.add(new Target(provider, 3));
      }
    }
    return targets;
  }
}
