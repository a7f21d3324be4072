package org.llm4msr.runtime.backend.reference;

import java.util.List;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.SparseAdamOp;

/** Adam's steps that rows of a table take when they are read, number by number. */
final class DeferredAdamKernels {
  private static final int WINDOW = DeferredAdamOp.WINDOW;

  private final SparseAdamOp adam;
  private final Operand p;
  private final Operand m;
  private final Operand v;
  private final Operand done;
  private final Operand rates;
  private final Operand state;

  private DeferredAdamKernels(SparseAdamOp adam, List<Operand> in) {
    this.adam = adam;
    p = in.get(0);
    m = in.get(1);
    v = in.get(2);
    done = in.get(3);
    rates = in.get(4);
    state = in.getLast();
  }

  static Kernel step(DeferredAdamOp op, List<Operand> in) {
    DeferredAdamKernels table = new DeferredAdamKernels(op.adam(), in);
    return () -> table.takeStep(op, in.get(5), in.get(6), in.get(7));
  }

  static Kernel catchUp(AdamCatchUpOp op, List<Operand> in) {
    DeferredAdamKernels table = new DeferredAdamKernels(op.adam(), in);
    if (in.size() == 6) {
      return () -> table.catchUpRows(0, table.p.dim(0), table.step(op) - 1);
    }
    Operand ids = in.get(5);
    LongSupplier stride = () -> op.allColumns() || ids.rank() == 1 ? 1 : ids.dim(1);
    return () -> {
      int before = table.step(op) - 1;
      for (long at = op.allColumns() ? 0 : op.column();
          at < ids.elements();
          at += stride.getAsLong()) {
        table.catchUp(Elements.getId(op, ids, at, table.p.dim(0)), before);
      }
    };
  }

  private int step(Op op) {
    double step = Elements.get(state, 1);
    if (!(step >= 1 && step <= Integer.MAX_VALUE)) {
      throw new IllegalArgumentException(
          op.name() + ": the step number is " + step + ", expected 1...");
    }
    return (int) step;
  }

  private void takeStep(Op op, Operand rows, Operand count, Operand values) {
    int step = step(op);
    int listed = LookupKernels.listedRows(op, rows, count, p.dim(0));
    double rate = Elements.get(state, 0) / (1 - Math.pow(adam.beta1(), step));
    double second = 1 / (1 - Math.pow(adam.beta2(), step));
    for (int i = 0; i < listed; i++) {
      int row = Elements.getInt(rows, i);
      catchUp(row, step - 1);
      for (long j = 0; j < p.dim(1); j++) {
        move(row * p.dim(1) + j, Elements.get(values, i * p.dim(1) + j), rate, second);
      }
      Elements.setInt(done, row, step);
    }
    long part = step % WINDOW;
    Elements.set(rates, 2 * part, rate);
    Elements.set(rates, 2 * part + 1, second);
    catchUpRows(partStart(part), partStart(part + 1), step);
  }

  private long partStart(long part) {
    return p.dim(0) / WINDOW * part + Math.min(part, p.dim(0) % WINDOW);
  }

  private void catchUpRows(long from, long to, int step) {
    for (long row = from; row < to; row++) {
      catchUp(row, step);
    }
  }

  private void catchUp(long row, int step) {
    for (int next = Elements.getInt(done, row) + 1; next <= step; next++) {
      double rate = Elements.get(rates, 2L * (next % WINDOW));
      double second = Elements.get(rates, 2L * (next % WINDOW) + 1);
      for (long j = 0; j < p.dim(1); j++) {
        move(row * p.dim(1) + j, 0, rate, second);
      }
      Elements.setInt(done, row, next);
    }
  }

  private void move(long at, double gradient, double rate, double second) {
    double g = gradient + adam.weightDecay() * Elements.get(p, at);
    double mean = adam.beta1() * Elements.get(m, at) + (1 - adam.beta1()) * g;
    double square = adam.beta2() * Elements.get(v, at) + (1 - adam.beta2()) * g * g;
    Elements.set(m, at, mean);
    Elements.set(v, at, square);
    double root = Math.sqrt(square * second) + adam.epsilon();
    Elements.set(p, at, Elements.get(p, at) - rate * mean / root);
  }
}
