package org.llm4msr.cuda;

import java.util.List;
import org.junit.jupiter.api.extension.ExtendWith;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.conformance.ConformanceCase;
import org.llm4msr.runtime.conformance.ConformanceSuite;

/**
 * Those cases of the conformance suite that run on tensor cores, on a stand-in for an Ampere GPU
 * and on one for a Hopper GPU, each of which has kernels of its own.
 */
@ExtendWith(StandIn.class)
class TensorCoresConformanceTest extends ConformanceSuite {
  /** A backend on a device of some compute capability. */
  private record Generation(int capability) implements BackendProvider {
    @Override
    public String name() {
      return "cuda";
    }

    @Override
    public int priority() {
      return 0;
    }

    @Override
    public Availability availability() {
      return StandIn.isThere()
          ? CudaDevices.look().availability()
          : new Availability(false, "no stand-in for the NVIDIA driver");
    }

    @Override
    public Backend open(BackendOptions options) {
      StandIn.set("capability", capability);
      return new CudaBackend(CudaDevices.look().devices().getFirst());
    }

    @Override
    public String toString() {
      return "compute capability " + capability;
    }
  }

  static List<Target> targets() {
    return List.of(
        new Target(new Generation(80), 1, "cuda-sm80"),
        new Target(new Generation(90), 1, "cuda-sm90"));
  }

  public static List<ConformanceCase> cases() {
    return ConformanceSuite.cases().stream().filter(Rounded::is).toList();
  }

  @Override
  protected double maxNmse(ConformanceCase conformanceCase) {
    return Rounded.maxNmse(conformanceCase);
  }
}
