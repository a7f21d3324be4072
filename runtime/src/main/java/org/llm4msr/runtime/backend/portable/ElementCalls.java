package org.llm4msr.runtime.backend.portable;

import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.GluGradientOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.ScaleOp;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Elementwise operators: elementwise.kk. */
final class ElementCalls {
  private static final int RANK = 4;

  private ElementCalls() {}

  /** The activation's number in kk.h; 0 for null. */
  static int number(UnaryOp.Kind kind) {
    if (kind == null) {
      return 0;
    }
    return switch (kind) {
      case RELU -> 1;
      case SIGMOID -> 2;
      case SILU -> 3;
      case TANH -> 4;
      case GELU -> 5;
      case GELU_TANH -> 6;
    };
  }

  static Kernel unary(Device device, UnaryOp op, Operand x, Operand y) {
    return new Call(device, "unary")
        .l(x::elements)
        .i(number(op.kind()))
        .of(x)
        .of(y)
        .items(x::elements);
  }

  static Kernel unaryGradient(Device device, UnaryGradientOp op, List<Operand> in, Operand dx) {
    return new Call(device, "unary_gradient")
        .l(dx::elements)
        .i(number(op.kind()))
        .of(in.get(0))
        .of(in.get(1))
        .of(dx)
        .items(dx::elements);
  }

  static Kernel scale(Device device, ScaleOp op, Operand x, Operand y) {
    return new Call(device, "scale")
        .l(x::elements)
        .f(op.scale())
        .f(op.offset())
        .of(x)
        .of(y)
        .items(x::elements);
  }

  static Kernel glu(Device device, GluOp op, List<Operand> in, Operand y) {
    return new Call(device, "glu")
        .l(y::elements)
        .i(number(op.activation()))
        .of(in.get(0))
        .of(in.get(1))
        .of(y)
        .items(y::elements);
  }

  static Kernel gluGradient(Device device, GluGradientOp op, List<Operand> in, List<Operand> out) {
    Operand gate = in.get(0);
    return new Call(device, "glu_gradient")
        .l(gate::elements)
        .i(number(op.activation()))
        .of(gate)
        .of(in.get(1))
        .of(in.get(2))
        .of(out.get(0))
        .of(out.get(1))
        .items(gate::elements);
  }

  static Kernel binary(Device device, BinaryOp op, List<Operand> in, Operand y) {
    Operand a = in.get(0);
    Operand b = in.get(1);
    Kernel alike =
        new Call(device, "binary")
            .l(y::elements)
            .i(op.kind().ordinal())
            .of(a)
            .of(b)
            .of(y)
            .items(y::elements);
    Call stretched = new Call(device, "binary_broadcast").l(y::elements).i(op.kind().ordinal());
    for (int axis = 1; axis < RANK; axis++) {
      int own = axis;
      stretched.l(() -> extent(y, own));
    }
    for (Operand operand : List.of(a, b)) {
      for (int axis = 0; axis < RANK; axis++) {
        int own = axis;
        stretched.l(() -> step(operand, own));
      }
    }
    Kernel broadcast = stretched.of(a).of(b).of(y).items(y::elements);
    return () -> {
      boolean same = a.elements() == y.elements() && b.elements() == y.elements();
      (same ? alike : broadcast).run();
    };
  }

  /** The extent of an axis of four; 1 for those that the operand lacks. */
  static long extent(Operand operand, int axis) {
    int own = axis - (RANK - operand.rank());
    return own < 0 ? 1 : operand.dim(own);
  }

  /** Elements from one index of an axis to the next; 0 where it is stretched. */
  private static long step(Operand operand, int axis) {
    if (extent(operand, axis) == 1) {
      return 0;
    }
    long step = 1;
    for (int inner = axis + 1; inner < RANK; inner++) {
      step *= extent(operand, inner);
    }
    return step;
  }

  static Kernel dropout(Device device, DropoutOp op, List<Operand> in, Operand y) {
    return new Call(device, "dropout")
        .l(y::elements)
        .i(op.seed())
        .i(op.threshold())
        .f(1 / (1 - op.rate()))
        .of(in.get(1))
        .of(in.get(0))
        .of(y)
        .items(y::elements);
  }
}
