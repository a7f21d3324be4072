package org.llm4msr.runtime.backend.reference;

import org.llm4msr.runtime.backend.Operand;

/**
 * Walks a full shape of rank 4 at most together with two operands that broadcast to it. Axes are
 * aligned at the last one; an operand's step along an axis is 0 where it is stretched.
 */
final class Broadcast {
  private static final int RANK = 4;

  private final Operand full;
  private final Operand a;
  private final Operand b;
  private final long[] extents = new long[RANK];
  private final long[] stepsA = new long[RANK];
  private final long[] stepsB = new long[RANK];

  Broadcast(Operand full, Operand a, Operand b) {
    this.full = full;
    this.a = a;
    this.b = b;
  }

  /** Told where the next {@code count} elements lie: in the full shape and in the operands. */
  @FunctionalInterface
  interface Run {
    void at(long full, long a, long b, int count);
  }

  /** Whether the first operand moves along a run (1) or stays (0). */
  long stepA() {
    return stepsA[RANK - 1];
  }

  long stepB() {
    return stepsB[RANK - 1];
  }

  void forEachRun(Run run) {
    for (int axis = 0; axis < RANK; axis++) {
      extents[axis] = extent(full, axis);
    }
    steps(a, stepsA);
    steps(b, stepsB);
    joinAxes();
    long at = 0;
    for (long i = 0; i < extents[0]; i++) {
      for (long j = 0; j < extents[1]; j++) {
        for (long k = 0; k < extents[2]; k++) {
          long atA = i * stepsA[0] + j * stepsA[1] + k * stepsA[2];
          long atB = i * stepsB[0] + j * stepsB[1] + k * stepsB[2];
          for (long l = 0; l < extents[3]; l += Elements.CHUNK) {
            int count = (int) Math.min(Elements.CHUNK, extents[3] - l);
            run.at(at + l, atA + l * stepsA[3], atB + l * stepsB[3], count);
          }
          at += extents[3];
        }
      }
    }
  }

  private static long extent(Operand operand, int axis) {
    int own = axis - (RANK - operand.rank());
    return own < 0 ? 1 : operand.dim(own);
  }

  private void steps(Operand operand, long[] steps) {
    long step = 1;
    for (int axis = RANK - 1; axis >= 0; axis--) {
      long extent = extent(operand, axis);
      steps[axis] = extent == 1 ? 0 : step;
      step *= extent;
    }
  }

  /** Makes one axis of the last two as long as both operands step through them evenly. */
  private void joinAxes() {
    for (int axis = RANK - 2; axis >= 0; axis--) {
      boolean even =
          extents[axis] == 1
              || extents[3] == 1
              || continues(stepsA, axis) && continues(stepsB, axis);
      if (!even) {
        return;
      }
      if (extents[3] == 1) {
        stepsA[3] = stepsA[axis];
        stepsB[3] = stepsB[axis];
      }
      extents[3] *= extents[axis];
      extents[axis] = 1;
    }
  }

  private boolean continues(long[] steps, int axis) {
    return steps[axis] == steps[3] * extents[3];
  }
}
