package org.llm4msr.runtime.backend.portable;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.ReshapeOp;
import org.llm4msr.runtime.op.SparseRowGradientOp;
import org.llm4msr.runtime.op.SumToOp;

/**
 * Checks the extents of a run before anything is launched: every operand fits into its memory, and
 * all together obey the operator's shape rule. It works only when extents have changed.
 */
final class ShapeCheck {
  private final Op op;
  private final Operand[] operands;
  private final int inputs;
  private final long[] checked;

  ShapeCheck(Op op, List<Operand> in, List<Operand> out) {
    this.op = op;
    List<Operand> all = new ArrayList<>(in);
    all.addAll(out);
    operands = all.toArray(Operand[]::new);
    inputs = in.size();
    int axes = 0;
    for (Operand operand : operands) {
      axes += operand.rank();
    }
    checked = new long[axes];
    java.util.Arrays.fill(checked, -1);
  }

  /**
   * @throws IllegalArgumentException if the extents do not fit
   */
  void run() {
    boolean changed = false;
    int at = 0;
    for (Operand operand : operands) {
      for (int axis = 0; axis < operand.rank(); axis++, at++) {
        changed |= checked[at] != operand.dim(axis);
        checked[at] = operand.dim(axis);
      }
    }
    if (!changed) {
      return;
    }
    try {
      check();
    } catch (RuntimeException e) {
      java.util.Arrays.fill(checked, -1);
      throw e;
    }
  }

  private void check() {
    List<ValueType> types = new ArrayList<>();
    for (Operand operand : operands) {
      Dim[] dims = new Dim[operand.rank()];
      for (int axis = 0; axis < dims.length; axis++) {
        dims[axis] = Dim.of(operand.dim(axis));
      }
      if (operand.elements() > operand.maxElements()) {
        throw new IllegalArgumentException(
            op.name() + ": " + List.of(dims) + " is more than " + operand.maxElements());
      }
      types.add(ValueType.of(operand.dtype(), dims));
    }
    // The rules of these depend on the graph's symbols; kernels take their extents from x alone.
    if (op instanceof SumToOp || op instanceof ReshapeOp || op instanceof SparseRowGradientOp) {
      return;
    }
    List<ValueType> expected = op.infer(types.subList(0, inputs));
    for (int i = 0; i < expected.size(); i++) {
      ValueType actual = types.get(inputs + i);
      boolean fits = actual.rank() == expected.get(i).rank();
      for (int axis = 0; fits && axis < actual.rank(); axis++) {
        Dim dim = expected.get(i).dim(axis);
        fits = dim.isSymbol() || dim.equals(actual.dim(axis));
      }
      if (!fits) {
        throw new IllegalArgumentException(
            op.name() + ": the output is " + actual + ", expected " + expected.get(i));
      }
    }
  }
}
