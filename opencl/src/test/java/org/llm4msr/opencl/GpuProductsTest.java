package org.llm4msr.opencl;

import java.util.List;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.BackendOptions;
import org.llm4msr.runtime.backend.BackendProvider;
import org.llm4msr.runtime.conformance.Cases;
import org.llm4msr.runtime.conformance.ConformanceCase;
import org.llm4msr.runtime.conformance.ConformanceSuite;
import org.llm4msr.runtime.op.BlockMatMulOp;
import org.llm4msr.runtime.op.BlockWeightGradientOp;
import org.llm4msr.runtime.op.GroupedMatMulOp;
import org.llm4msr.runtime.op.GroupedWeightGradientOp;
import org.llm4msr.runtime.op.MatMulOp;

/** The matrix products of GPUs, on whatever device there is. */
class GpuProductsTest extends ConformanceSuite {
  static List<Target> targets() {
    BackendProvider provider = new OpenClProvider();
    return List.of(
        new Target(
            new BackendProvider() {
              @Override
              public String name() {
                return "opencl";
              }

              @Override
              public int priority() {
                return provider.priority();
              }

              @Override
              public Availability availability() {
                return provider.availability();
              }

              @Override
              public Backend open(BackendOptions options) {
                return new OpenClBackend(OpenCl.devices().getFirst(), false);
              }
            },
            2,
            "opencl-gpu"));
  }

  public static List<ConformanceCase> cases() {
    return Cases.all().stream()
        .filter(one ->
            switch (one.op()) {
              case MatMulOp _, GroupedMatMulOp _, GroupedWeightGradientOp _ -> true;
              case BlockMatMulOp _, BlockWeightGradientOp _ -> true;
              default -> false;
            })
        .toList();
  }
}
