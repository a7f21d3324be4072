package org.llm4msr.runtime.conformance;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowAdamOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;

/** A conformance case bound to memory of a backend. Tests and benchmarks run it. */
public final class CaseRun implements AutoCloseable {
  private final Backend backend;
  private final ConformanceCase conformanceCase;
  private final Op op;
  private final List<ValueType> outputTypes;
  private final List<TestOperand> inputs = new ArrayList<>();
  private final List<TestOperand> outputs = new ArrayList<>();
  private final Kernel kernel;
  private double[][] written;

  /** For work in F32, as a backend is used. */
  public CaseRun(Backend backend, ConformanceCase conformanceCase) {
    this(backend, conformanceCase, DType.F32);
  }

  /**
   * @param computeType F64 for the oracle; its inputs are rounded to F32 all the same
   * @throws UnsupportedOperationException if the backend lacks the operator for these types
   */
  CaseRun(Backend backend, ConformanceCase conformanceCase, DType computeType) {
    this.backend = backend;
    this.conformanceCase = conformanceCase;
    op = conformanceCase.op(computeType);
    List<ValueType> inputTypes = new ArrayList<>();
    for (int i = 0; i < conformanceCase.inputs().size(); i++) {
      inputTypes.add(conformanceCase.type(i, computeType));
    }
    outputTypes = op.infer(inputTypes);
    try {
      inputTypes.forEach(type -> inputs.add(new TestOperand(backend, type)));
      outputTypes.forEach(type -> outputs.add(new TestOperand(backend, type)));
      List<Operand> in = List.copyOf(inputs);
      List<Operand> out = List.copyOf(outputs);
      kernel = backend.kernel(op, in, out);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Sets the extents, fills the inputs and spoils the outputs. */
  public void prepare(Extents extents) {
    written = new double[inputs.size()][];
    for (int i = 0; i < inputs.size(); i++) {
      TestOperand input = inputs.get(i);
      input.setShape(extents.shape(conformanceCase.inputs().get(i).type()));
      double[] elements = conformanceCase.data(i, extents);
      if (conformanceCase.inputs().get(i).type().dtype() == DType.F32) {
        for (int j = 0; j < elements.length; j++) {
          elements[j] = (float) elements[j];
        }
      }
      input.write(elements);
      written[i] = input.read();
    }
    for (int i = 0; i < outputs.size(); i++) {
      outputs.get(i).setShape(extents.shape(outputTypes.get(i)));
    }
  }

  /** Runs the kernel once and waits for it. */
  public void run() {
    kernel.run();
    backend.finish();
  }

  /** Everything the operator computes: its outputs and the inputs that it updates. */
  List<double[]> results() {
    List<double[]> results = new ArrayList<>();
    outputs.forEach(output -> results.add(output.read()));
    if (op instanceof SparseRowGradientOp gradient) {
      // Entries behind the count are undefined.
      int count = (int) results.get(1)[0];
      results.set(0, Arrays.copyOf(results.get(0), count));
      int elements = Math.toIntExact(count * gradient.width());
      results.set(2, Arrays.copyOf(results.get(2), elements));
    }
    for (int i = 0; i < inputs.size(); i++) {
      if (updated().contains(i)) {
        results.add(inputs.get(i).read());
      }
    }
    return results;
  }

  private Set<Integer> updated() {
    return switch (op) {
      case AdamOp _, SparseAdamOp _, SparseRowAdamOp _ -> Set.of(0, 1, 2);
      case DeferredAdamOp _ -> Set.of(0, 1, 2, 3, 4);
      case AdamCatchUpOp _ -> Set.of(0, 1, 2, 3);
      case GroupedBatchNormOp norm when norm.training() -> Set.of(5, 6);
      default -> Set.of();
    };
  }

  /** What was written that should not have been; empty if all is well. */
  List<String> trespasses() {
    List<String> trespasses = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      TestOperand input = inputs.get(i);
      if (!updated().contains(i) && !Arrays.equals(input.read(), written[i])) {
        trespasses.add("input " + i + " " + input + " was changed");
      }
      noteGuard("input " + i, input, trespasses);
    }
    for (int i = 0; i < outputs.size(); i++) {
      noteGuard("output " + i, outputs.get(i), trespasses);
    }
    return trespasses;
  }

  private static void noteGuard(String name, TestOperand operand, List<String> trespasses) {
    long touched = operand.firstTouchedGuard();
    if (touched >= 0) {
      trespasses.add(name + " " + operand + " was overrun at byte " + touched + " behind its end");
    }
  }

  @Override
  public void close() {
    inputs.forEach(TestOperand::close);
    outputs.forEach(TestOperand::close);
  }
}
