package org.llm4msr.runtime.backend.reference;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.ClipFactorOp;
import org.llm4msr.runtime.op.DropoutOp;

/** Dropout and the clipping of gradients. */
final class RegularisationKernels {
  private RegularisationKernels() {}

  static Kernel dropout(DropoutOp op, List<Operand> inputs, Operand y, Scratch scratch) {
    Operand x = inputs.get(0);
    Operand state = inputs.get(1);
    return () -> {
      int key = op.key((long) Elements.get(state, 1));
      double[] chunk = scratch.doubles(0, Elements.CHUNK);
      for (long at = 0; at < x.elements(); at += Elements.CHUNK) {
        int count = (int) Math.min(Elements.CHUNK, x.elements() - at);
        Elements.load(x, at, chunk, 0, count);
        for (int i = 0; i < count; i++) {
          boolean kept = DropoutOp.keeps(key, op.threshold(), at + i);
          chunk[i] = kept ? chunk[i] / (1 - op.rate()) : 0;
        }
        Elements.store(chunk, 0, y, at, count);
      }
    };
  }

  static Kernel clipFactor(ClipFactorOp op, List<Operand> inputs, Operand y, Scratch scratch) {
    return () -> {
      double sum = 0;
      double[] chunk = scratch.doubles(0, Elements.CHUNK);
      for (int i = 0; i < inputs.size(); i++) {
        long elements = inputs.get(i).elements();
        if (inputs.get(i).dtype() == DType.I32) {
          int rows = Elements.getInt(inputs.get(i), 0);
          i++;
          elements = rows * inputs.get(i).dim(1);
        }
        for (long at = 0; at < elements; at += Elements.CHUNK) {
          int count = (int) Math.min(Elements.CHUNK, elements - at);
          Elements.load(inputs.get(i), at, chunk, 0, count);
          sum += Vectors.dot(chunk, chunk, count);
        }
      }
      double norm = Math.sqrt(sum);
      Elements.set(y, 0, norm <= op.maxNorm() ? 1 : op.maxNorm() / norm);
    };
  }
}
