package org.llm4msr.runtime.backend.reference;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.SparseAdamOp;

/** Optimiser steps; all update parameters and moments in place. */
final class OptimiserKernels {
  private static final int P = 0;
  private static final int M = 1;
  private static final int V = 2;
  private static final int G = 3;

  private OptimiserKernels() {}

  static Kernel adam(AdamOp op, List<Operand> inputs, Scratch scratch) {
    Operand p = inputs.get(0);
    Operand gradient = inputs.get(3);
    double[] g = scratch.doubles(G, Elements.CHUNK);
    Step step = new Step(op, inputs, scratch);
    return () -> {
      step.begin(inputs.get(4));
      long elements = p.elements();
      for (long i = 0; i < elements; i += Elements.CHUNK) {
        int count = (int) Math.min(Elements.CHUNK, elements - i);
        Elements.load(gradient, i, g, 0, count);
        step.apply(i, g, count);
      }
    };
  }

  static Kernel sparseAdam(SparseAdamOp op, List<Operand> inputs, Scratch scratch) {
    Operand p = inputs.get(0);
    Operand rows = inputs.get(3);
    Operand values = inputs.get(5);
    int width = Math.toIntExact(p.dim(1));
    double[] g = scratch.doubles(G, width);
    AdamOp adam = new AdamOp(op.beta1(), op.beta2(), op.epsilon(), op.weightDecay());
    Step step = new Step(adam, inputs, scratch);
    return () -> {
      int count = LookupKernels.listedRows(op, rows, inputs.get(4), p.dim(0));
      step.begin(inputs.get(6));
      if (op.lazy()) {
        for (int i = 0; i < count; i++) {
          Elements.load(values, (long) i * width, g, 0, width);
          step.applyLazily((long) Elements.getInt(rows, i) * width, g, width);
        }
        return;
      }
      int listed = 0;
      for (long row = 0; row < p.dim(0); row++) {
        if (listed < count && Elements.getInt(rows, listed) == row) {
          Elements.load(values, (long) listed * width, g, 0, width);
          listed++;
        } else {
          Arrays.fill(g, 0, width, 0);
        }
        step.apply(row * width, g, width);
      }
    };
  }

  /** One step for a run of elements of p, m and v, which are the first three inputs. */
  private static final class Step {
    private final AdamOp op;
    private final List<Operand> state;
    private final Scratch scratch;
    private double learningRate;
    private double correction1;
    private double correction2;

    Step(AdamOp op, List<Operand> inputs, Scratch scratch) {
      this.op = op;
      this.state = inputs;
      this.scratch = scratch;
    }

    /** Reads the learning rate and the step number. */
    void begin(Operand rateAndStep) {
      learningRate = Elements.get(rateAndStep, 0);
      double step = Elements.get(rateAndStep, 1);
      if (!(step >= 1)) {
        throw new IllegalArgumentException("adam: the step number is " + step + ", expected 1...");
      }
      correction1 = 1 - Math.pow(op.beta1(), step);
      correction2 = 1 - Math.pow(op.beta2(), step);
    }

    void apply(long at, double[] g, int count) {
      double[] p = loadAndMoveMoments(at, g, count);
      double[] m = scratch.doubles(M, count);
      double[] v = scratch.doubles(V, count);
      for (int i = 0; i < count; i++) {
        double rms = Math.sqrt(v[i] / correction2);
        p[i] -= learningRate / correction1 * m[i] / (rms + op.epsilon());
      }
      Elements.store(p, 0, state.get(0), at, count);
    }

    /** As {@link #apply}, but epsilon is added to the uncorrected root, as TensorFlow does. */
    void applyLazily(long at, double[] g, int count) {
      double[] p = loadAndMoveMoments(at, g, count);
      double[] m = scratch.doubles(M, count);
      double[] v = scratch.doubles(V, count);
      double rate = learningRate * Math.sqrt(correction2) / correction1;
      for (int i = 0; i < count; i++) {
        p[i] -= rate * m[i] / (Math.sqrt(v[i]) + op.epsilon());
      }
      Elements.store(p, 0, state.get(0), at, count);
    }

    /** Moves the moments, in the arrays M and V and in memory; returns the parameters. */
    private double[] loadAndMoveMoments(long at, double[] g, int count) {
      double[] p = scratch.doubles(P, count);
      double[] m = scratch.doubles(M, count);
      double[] v = scratch.doubles(V, count);
      Elements.load(state.get(0), at, p, 0, count);
      Elements.load(state.get(1), at, m, 0, count);
      Elements.load(state.get(2), at, v, 0, count);
      for (int i = 0; i < count; i++) {
        double gradient = g[i] + op.weightDecay() * p[i];
        m[i] = op.beta1() * m[i] + (1 - op.beta1()) * gradient;
        v[i] = op.beta2() * v[i] + (1 - op.beta2()) * gradient * gradient;
      }
      Elements.store(m, 0, state.get(1), at, count);
      Elements.store(v, 0, state.get(2), at, count);
      return p;
    }
  }
}
