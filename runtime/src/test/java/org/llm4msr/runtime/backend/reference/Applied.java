package org.llm4msr.runtime.backend.reference;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.conformance.TestOperand;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.Op;

/**
 * An operator applied once in double by the reference backend.
 *
 * @param inputs as they are afterwards: some operators update them
 */
record Applied(List<double[]> inputs, List<double[]> outputs) {
  /** An input with fixed extents. */
  record In(DType dtype, double[] elements, long... extents) {}

  static In real(double[] elements, long... extents) {
    return new In(DType.F64, elements, extents);
  }

  static In ints(int[] elements, long... extents) {
    return new In(DType.I32, Arrays.stream(elements).asDoubleStream().toArray(), extents);
  }

  double[] output() {
    return outputs.get(0);
  }

  static Applied apply(Op op, In... inputs) {
    List<TestOperand> in = new ArrayList<>();
    List<TestOperand> out = new ArrayList<>();
    try (ReferenceBackend backend = new ReferenceBackend()) {
      List<ValueType> types = new ArrayList<>();
      for (In input : inputs) {
        types.add(ValueType.of(input.dtype(), input.extents()));
        TestOperand operand = operand(backend, types.getLast());
        in.add(operand);
        operand.write(input.elements());
      }
      op.infer(types).forEach(type -> out.add(operand(backend, type)));
      backend.kernel(op, List.<Operand>copyOf(in), List.<Operand>copyOf(out)).run();
      return new Applied(
          in.stream().map(TestOperand::read).toList(),
          out.stream().map(TestOperand::read).toList());
    } finally {
      in.forEach(TestOperand::close);
      out.forEach(TestOperand::close);
    }
  }

  private static TestOperand operand(ReferenceBackend backend, ValueType type) {
    TestOperand operand = new TestOperand(backend, type);
    operand.setShape(Shape.of(type.dims().stream().mapToLong(Dim::fixed).toArray()));
    return operand;
  }
}
