package org.llm4msr.runtime.backend.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.llm4msr.bindings.cpu.Activation;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Elementwise;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.ClipFactorOp;
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.GluGradientOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.PadOp;
import org.llm4msr.runtime.op.ScaleOp;
import org.llm4msr.runtime.op.SliceOp;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Elementwise operators and layout. Memory is looked up once; a run reads extents and calls. */
final class ElementBindings {
  private static final int RANK = 4;
  static final long EXTENTS_BYTES = RANK * Long.BYTES;

  private ElementBindings() {}

  static Kernel unary(CpuPool pool, UnaryOp op, Operand x, Operand out) {
    Activation activation = MatrixBindings.activation(op.kind());
    MemorySegment xSegment = x.segment();
    MemorySegment y = out.segment();
    return () -> Elementwise.unary(pool, activation, x.elements(), xSegment, y);
  }

  static Kernel unaryGradient(CpuPool pool, UnaryGradientOp op, List<Operand> in, Operand out) {
    Activation activation = MatrixBindings.activation(op.kind());
    MemorySegment saved = in.get(0).segment();
    MemorySegment dy = in.get(1).segment();
    MemorySegment dx = out.segment();
    return () -> Elementwise.unaryGradient(pool, activation, out.elements(), saved, dy, dx);
  }

  static Kernel binary(
      CpuPool pool,
      BinaryOp op,
      List<Operand> in,
      Operand out,
      MemorySegment extentsA,
      MemorySegment extentsB) {
    Elementwise.Arithmetic arithmetic =
        switch (op.kind()) {
          case ADD -> Elementwise.Arithmetic.ADD;
          case SUB -> Elementwise.Arithmetic.SUB;
          case MUL -> Elementwise.Arithmetic.MUL;
          case DIV -> Elementwise.Arithmetic.DIV;
        };
    Operand a = in.get(0);
    Operand b = in.get(1);
    MemorySegment aSegment = a.segment();
    MemorySegment bSegment = b.segment();
    MemorySegment y = out.segment();
    return () -> {
      writeExtents(a, extentsA);
      writeExtents(b, extentsB);
      Elementwise.binary(pool, arithmetic, extentsA, aSegment, extentsB, bSegment, y);
    };
  }

  static Kernel sumTo(
      CpuPool pool, Operand x, Operand out, MemorySegment extentsIn, MemorySegment extentsOut) {
    if (x.rank() > RANK) {
      throw new UnsupportedOperationException(
          "the cpu backend sums over at most " + RANK + " axes");
    }
    MemorySegment xSegment = x.segment();
    MemorySegment y = out.segment();
    return () -> {
      writeExtents(x, extentsIn);
      writeExtents(out, extentsOut);
      Elementwise.sumTo(pool, extentsIn, xSegment, extentsOut, y);
    };
  }

  private static void writeExtents(Operand operand, MemorySegment extents) {
    int missing = RANK - operand.rank();
    for (int axis = 0; axis < RANK; axis++) {
      long extent = axis < missing ? 1 : operand.dim(axis - missing);
      extents.setAtIndex(ValueLayout.JAVA_LONG, axis, extent);
    }
  }

  static Kernel scale(CpuPool pool, ScaleOp op, Operand x, Operand out) {
    float scale = (float) op.scale();
    float offset = (float) op.offset();
    MemorySegment xSegment = x.segment();
    MemorySegment y = out.segment();
    return () -> Elementwise.scale(pool, x.elements(), scale, offset, xSegment, y);
  }

  static Kernel glu(CpuPool pool, GluOp op, List<Operand> in, Operand out) {
    Activation activation = MatrixBindings.activation(op.activation());
    MemorySegment gate = in.get(0).segment();
    MemorySegment up = in.get(1).segment();
    MemorySegment y = out.segment();
    return () -> Elementwise.glu(pool, activation, out.elements(), gate, up, y);
  }

  static Kernel gluGradient(CpuPool pool, GluGradientOp op, List<Operand> in, List<Operand> out) {
    Activation activation = MatrixBindings.activation(op.activation());
    Operand gate = in.get(0);
    MemorySegment gateSegment = gate.segment();
    MemorySegment up = in.get(1).segment();
    MemorySegment dy = in.get(2).segment();
    MemorySegment dgate = out.get(0).segment();
    MemorySegment dup = out.get(1).segment();
    return () ->
        Elementwise.gluGradient(pool, activation, gate.elements(), gateSegment, up, dy, dgate, dup);
  }

  static Kernel concat(CpuPool pool, List<Operand> in, Operand out) {
    Operand[] parts = in.toArray(Operand[]::new);
    MemorySegment[] from = new MemorySegment[parts.length];
    MemorySegment[] to = new MemorySegment[parts.length];
    long column = 0;
    for (int i = 0; i < parts.length; i++) {
      from[i] = parts[i].segment();
      to[i] = out.segment().asSlice(column * Float.BYTES);
      column += parts[i].dim(1);
    }
    return () -> {
      for (int i = 0; i < parts.length; i++) {
        long width = parts[i].dim(1);
        Elementwise.copyColumns(pool, out.dim(0), width, from[i], width, to[i], out.dim(1));
      }
    };
  }

  static Kernel slice(CpuPool pool, SliceOp op, Operand x, Operand out) {
    MemorySegment from = x.segment().asSlice(op.from() * Float.BYTES);
    MemorySegment to = out.segment();
    return () ->
        Elementwise.copyColumns(pool, out.dim(0), out.dim(1), from, x.dim(1), to, out.dim(1));
  }

  static Kernel pad(CpuPool pool, PadOp op, Operand x, Operand out) {
    MemorySegment from = x.segment();
    MemorySegment to = out.segment();
    return () -> Elementwise.padColumns(pool, x.dim(0), x.dim(1), from, op.from(), to, out.dim(1));
  }

  static Kernel transpose(CpuPool pool, Operand x, Operand out) {
    MemorySegment from = x.segment();
    MemorySegment to = out.segment();
    return () -> Elementwise.transpose(pool, x.dim(0), x.dim(1), x.dim(2), from, to);
  }

  static Kernel reshape(CpuPool pool, Operand x, Operand out) {
    MemorySegment from = x.segment();
    MemorySegment to = out.segment();
    return () -> {
      if (from.address() != to.address()) {
        Elementwise.unary(pool, Activation.NONE, x.elements(), from, to);
      }
    };
  }

  static Kernel dropout(CpuPool pool, DropoutOp op, List<Operand> in, Operand out) {
    MemorySegment x = in.get(0).segment();
    MemorySegment state = in.get(1).segment();
    MemorySegment y = out.segment();
    int threshold = op.threshold();
    float scale = (float) (1 / (1 - op.rate()));
    return () -> {
      int key = op.key((long) state.getAtIndex(ValueLayout.JAVA_DOUBLE, 1));
      Elementwise.dropout(pool, out.elements(), key, threshold, scale, x, y);
    };
  }

  /**
   * @param sum room for one double
   */
  static Kernel clipFactor(
      CpuPool pool, ClipFactorOp op, List<Operand> in, Operand out, MemorySegment sum) {
    Operand[] inputs = in.toArray(Operand[]::new);
    MemorySegment[] segments = in.stream().map(Operand::segment).toArray(MemorySegment[]::new);
    MemorySegment y = out.segment();
    return () -> {
      sum.set(ValueLayout.JAVA_DOUBLE, 0, 0);
      for (int i = 0; i < inputs.length; i++) {
        long elements = inputs[i].elements();
        if (inputs[i].dtype() == DType.I32) {
          int rows = segments[i].get(ValueLayout.JAVA_INT, 0);
          i++;
          elements = rows * inputs[i].dim(1);
        }
        Elementwise.sumOfSquares(pool, elements, segments[i], sum);
      }
      double norm = Math.sqrt(sum.get(ValueLayout.JAVA_DOUBLE, 0));
      float factor = norm <= op.maxNorm() ? 1 : (float) (op.maxNorm() / norm);
      y.set(ValueLayout.JAVA_FLOAT, 0, factor);
    };
  }
}
