package org.llm4msr.runtime.backend.reference;

import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.PadOp;
import org.llm4msr.runtime.op.SliceOp;

/** Operators that only move elements. */
final class LayoutKernels {
  private LayoutKernels() {}

  static Kernel concat(List<Operand> inputs, Operand y) {
    return () -> {
      long at = 0;
      for (long r = 0; r < y.dim(0); r++) {
        for (int i = 0; i < inputs.size(); i++) {
          long width = inputs.get(i).dim(1);
          Elements.copy(inputs.get(i), r * width, y, at, width);
          at += width;
        }
      }
    };
  }

  static Kernel slice(SliceOp op, Operand x, Operand y) {
    return () -> {
      long width = y.dim(1);
      for (long r = 0; r < x.dim(0); r++) {
        Elements.copy(x, r * x.dim(1) + op.from(), y, r * width, width);
      }
    };
  }

  static Kernel pad(PadOp op, Operand x, Operand y) {
    return () -> {
      long width = x.dim(1);
      Elements.zero(y, 0, y.elements());
      for (long r = 0; r < x.dim(0); r++) {
        Elements.copy(x, r * width, y, r * op.width() + op.from(), width);
      }
    };
  }

  static Kernel transpose(Operand x, Operand y) {
    return () -> {
      long rows = x.dim(1);
      long columns = x.dim(2);
      for (long g = 0; g < x.dim(0); g++) {
        for (long i = 0; i < rows; i++) {
          for (long j = 0; j < columns; j++) {
            double element = Elements.get(x, (g * rows + i) * columns + j);
            Elements.set(y, (g * columns + j) * rows + i, element);
          }
        }
      }
    };
  }

  /** A plan gives input and output the same memory; otherwise this copies. */
  static Kernel reshape(Operand x, Operand y) {
    return () -> {
      if (x.address() != y.address()) {
        Elements.copy(x, 0, y, 0, x.elements());
      }
    };
  }
}
