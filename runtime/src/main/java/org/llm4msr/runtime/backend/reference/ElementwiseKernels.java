package org.llm4msr.runtime.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.GluGradientOp;
import org.llm4msr.runtime.op.GluOp;
import org.llm4msr.runtime.op.ScaleOp;
import org.llm4msr.runtime.op.UnaryGradientOp;
import org.llm4msr.runtime.op.UnaryOp;

/** Operators that treat every element alike, and the sum that undoes broadcasting. */
final class ElementwiseKernels {
  private static final int A = 0;
  private static final int B = 1;
  private static final int C = 2;
  private static final int SUM = 3;

  private ElementwiseKernels() {}

  /** Computes {@code count} elements from {@code index} on. */
  @FunctionalInterface
  private interface Chunk {
    void at(long index, int count);
  }

  private static Kernel inChunks(Operand y, Chunk chunk) {
    return () -> {
      long elements = y.elements();
      for (long i = 0; i < elements; i += Elements.CHUNK) {
        chunk.at(i, (int) Math.min(Elements.CHUNK, elements - i));
      }
    };
  }

  static Kernel unary(UnaryOp op, Operand x, Operand y, Scratch scratch) {
    double[] a = scratch.doubles(A, Elements.CHUNK);
    return inChunks(
        y,
        (index, count) -> {
          Elements.load(x, index, a, 0, count);
          Activations.apply(op.kind(), a, 0, count);
          Elements.store(a, 0, y, index, count);
        });
  }

  static Kernel unaryGradient(
      UnaryGradientOp op, Operand saved, Operand dy, Operand dx, Scratch scratch) {
    double[] a = scratch.doubles(A, Elements.CHUNK);
    double[] d = scratch.doubles(B, Elements.CHUNK);
    return inChunks(
        dx,
        (index, count) -> {
          Elements.load(saved, index, a, 0, count);
          Elements.load(dy, index, d, 0, count);
          Activations.multiplyByDerivative(op.kind(), a, d, count);
          Elements.store(d, 0, dx, index, count);
        });
  }

  static Kernel scale(ScaleOp op, Operand x, Operand y, Scratch scratch) {
    double[] a = scratch.doubles(A, Elements.CHUNK);
    return inChunks(
        y,
        (index, count) -> {
          Elements.load(x, index, a, 0, count);
          for (int i = 0; i < count; i++) {
            a[i] = op.scale() * a[i] + op.offset();
          }
          Elements.store(a, 0, y, index, count);
        });
  }

  static Kernel glu(GluOp op, Operand gate, Operand up, Operand y, Scratch scratch) {
    double[] g = scratch.doubles(A, Elements.CHUNK);
    double[] u = scratch.doubles(B, Elements.CHUNK);
    return inChunks(
        y,
        (index, count) -> {
          Elements.load(gate, index, g, 0, count);
          Elements.load(up, index, u, 0, count);
          Activations.apply(op.activation(), g, 0, count);
          for (int i = 0; i < count; i++) {
            g[i] *= u[i];
          }
          Elements.store(g, 0, y, index, count);
        });
  }

  static Kernel gluGradient(
      GluGradientOp op, List<Operand> inputs, List<Operand> outputs, Scratch scratch) {
    double[] dGate = scratch.doubles(A, Elements.CHUNK);
    double[] u = scratch.doubles(B, Elements.CHUNK);
    double[] d = scratch.doubles(C, Elements.CHUNK);
    double[] activated = scratch.doubles(SUM, Elements.CHUNK);
    UnaryOp.Kind activation = op.activation();
    return inChunks(
        outputs.get(0),
        (index, count) -> {
          Elements.load(inputs.get(0), index, activated, 0, count);
          Elements.load(inputs.get(1), index, u, 0, count);
          Elements.load(inputs.get(2), index, d, 0, count);
          for (int i = 0; i < count; i++) {
            dGate[i] = d[i] * u[i];
          }
          if (!activation.gradientFromOutput()) {
            Activations.multiplyByDerivative(activation, activated, dGate, count);
          }
          Activations.apply(activation, activated, 0, count);
          if (activation.gradientFromOutput()) {
            Activations.multiplyByDerivative(activation, activated, dGate, count);
          }
          for (int i = 0; i < count; i++) {
            u[i] = d[i] * activated[i];
          }
          Elements.store(dGate, 0, outputs.get(0), index, count);
          Elements.store(u, 0, outputs.get(1), index, count);
        });
  }

  static Kernel binary(BinaryOp op, Operand a, Operand b, Operand y, Scratch scratch) {
    double[] left = scratch.doubles(A, Elements.CHUNK);
    double[] right = scratch.doubles(B, Elements.CHUNK);
    Broadcast broadcast = new Broadcast(y, a, b);
    Broadcast.Run run =
        (at, atA, atB, count) -> {
          loadRun(a, atA, broadcast.stepA(), left, count);
          loadRun(b, atB, broadcast.stepB(), right, count);
          combine(op.kind(), left, right, count);
          Elements.store(left, 0, y, at, count);
        };
    return () -> broadcast.forEachRun(run);
  }

  /** Loads {@code count} elements, or one element over and over if the step is 0. */
  private static void loadRun(Operand from, long at, long step, double[] into, int count) {
    if (step == 0) {
      Arrays.fill(into, 0, count, Elements.get(from, at));
    } else {
      Elements.load(from, at, into, 0, count);
    }
  }

  private static void combine(BinaryOp.Kind kind, double[] left, double[] right, int count) {
    switch (kind) {
      case ADD -> {
        for (int i = 0; i < count; i++) {
          left[i] += right[i];
        }
      }
      case SUB -> {
        for (int i = 0; i < count; i++) {
          left[i] -= right[i];
        }
      }
      case MUL -> {
        for (int i = 0; i < count; i++) {
          left[i] *= right[i];
        }
      }
      case DIV -> {
        for (int i = 0; i < count; i++) {
          left[i] /= right[i];
        }
      }
    }
  }

  static Kernel sumTo(Operand x, Operand y, Scratch scratch) {
    double[] line = scratch.doubles(A, Elements.CHUNK);
    double[] sum = scratch.doubles(SUM, y.maxElements());
    Broadcast broadcast = new Broadcast(x, y, y);
    Broadcast.Run run =
        (at, atY, same, count) -> {
          Elements.load(x, at, line, 0, count);
          if (broadcast.stepA() == 0) {
            sum[(int) atY] += Vectors.sum(line, count);
          } else {
            Vectors.addScaled(1, line, 0, sum, (int) atY, count);
          }
        };
    return () -> {
      int elements = Math.toIntExact(y.elements());
      Arrays.fill(sum, 0, elements, 0);
      broadcast.forEachRun(run);
      Elements.store(sum, 0, y, 0, elements);
    };
  }
}
