package org.llm4msr.model.scorer;

import java.util.IdentityHashMap;
import java.util.Map;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * Computes terms in plain Java with double accumulation: what a snapshot holds ready, and the
 * specification of what programs compute.
 */
final class TermEvaluator {
  /** Fills a leaf's numbers for all entities of an evaluation. */
  interface LeafReader {
    void read(Leaf leaf, int entity, float[] to, int at);
  }

  private final int count;
  private final LeafReader leaves;
  private final Map<Term, float[]> results = new IdentityHashMap<>();

  /**
   * @param count entities to compute for
   * @param leaves null for constants
   */
  TermEvaluator(int count, LeafReader leaves) {
    this.count = count;
    this.leaves = leaves;
  }

  /** {@code [count, width]}; one row for a constant. */
  float[] evaluate(Term term) {
    float[] known = results.get(term);
    if (known == null) {
      for (Term input : term.inputs()) {
        evaluate(input);
      }
      known = compute(term);
      results.put(term, known);
    }
    return known;
  }

  private int rows(Term term) {
    return term.dependencies() == 0 ? 1 : count;
  }

  private float[] compute(Term term) {
    if (term.op() instanceof Term.Constant constant) {
      return constant.elements();
    }
    int width = term.width();
    float[] y = new float[rows(term) * width];
    for (int r = 0; r < rows(term); r++) {
      int at = r * width;
      switch (term.op()) {
        case Term.Constant _ -> throw new AssertionError("returned above");
        case Term.FromLeaf(Leaf leaf) -> leaves.read(leaf, r, y, at);
        case Term.Linear linear -> linear(term, linear, r, y, at);
        case Term.Binary(BinaryOp.Kind kind, UnaryOp.Kind activation) -> {
          for (int j = 0; j < width; j++) {
            double value = combine(kind, get(term.input(0), r, j), get(term.input(1), r, j));
            y[at + j] = (float) activate(activation, value);
          }
        }
        case Term.Unary(UnaryOp.Kind kind) -> {
          for (int j = 0; j < width; j++) {
            y[at + j] = (float) activate(kind, get(term.input(0), r, j));
          }
        }
        case Term.Scale(double factor, double offset) -> {
          for (int j = 0; j < width; j++) {
            y[at + j] = (float) (factor * get(term.input(0), r, j) + offset);
          }
        }
        case Term.Softmax _ -> softmax(term, r, y, at);
        case Term.Mixture _ -> mixture(term, r, y, at);
        case Term.RmsNorm(double epsilon) -> norm(term, r, y, at, epsilon);
        case Term.Concat _ -> {
          int next = at;
          for (Term part : term.inputs()) {
            int from = rows(part) == 1 ? 0 : r * part.width();
            System.arraycopy(evaluate(part), from, y, next, part.width());
            next += part.width();
          }
        }
        case Term.Slice(int from, int _) -> {
          for (int j = 0; j < width; j++) {
            y[at + j] = (float) get(term.input(0), r, from + j);
          }
        }
        case Term.Repeat(int times) -> {
          for (int j = 0; j < width; j++) {
            y[at + j] = (float) get(term.input(0), r, j / times);
          }
        }
      }
    }
    return y;
  }

  /** Column j of a row; a term of width 1 has it in every column. */
  private double get(Term term, int row, int j) {
    int base = rows(term) == 1 ? 0 : row * term.width();
    return results.get(term)[base + (term.width() == 1 ? 0 : j)];
  }

  private void linear(Term term, Term.Linear op, int row, float[] y, int at) {
    float[] x = results.get(term.input(0));
    float[] w = results.get(term.input(1));
    int x0 = rows(term.input(0)) == 1 ? 0 : row * term.input(0).width();
    int w0 = rows(term.input(1)) == 1 ? 0 : row * term.input(1).width();
    double[] sums = new double[op.out()];
    for (int i = 0; i < op.rows(); i++) {
      for (int j = 0; j < op.out(); j++) {
        sums[j] = 0;
        for (int addend = 2; addend < term.inputs().size(); addend++) {
          Term added = term.input(addend);
          sums[j] += get(added, row, added.width() == op.out() ? j : i * op.out() + j);
        }
      }
      for (int p = 0; p < op.in(); p++) {
        double xp = x[x0 + i * op.in() + p];
        for (int j = 0; j < op.out(); j++) {
          sums[j] += xp * w[w0 + p * op.out() + j];
        }
      }
      for (int j = 0; j < op.out(); j++) {
        y[at + i * op.out() + j] = (float) activate(op.activation(), sums[j]);
      }
    }
  }

  private void softmax(Term term, int row, float[] y, int at) {
    Term x = term.input(0);
    double top = Double.NEGATIVE_INFINITY;
    for (int j = 0; j < x.width(); j++) {
      top = Math.max(top, get(x, row, j));
    }
    double sum = 0;
    for (int j = 0; j < x.width(); j++) {
      sum += Math.exp(get(x, row, j) - top);
    }
    for (int j = 0; j < x.width(); j++) {
      y[at + j] = (float) (Math.exp(get(x, row, j) - top) / sum);
    }
  }

  private void mixture(Term term, int row, float[] y, int at) {
    Term gate = term.input(0);
    for (int j = 0; j < term.width(); j++) {
      double sum = 0;
      for (int k = 0; k < gate.width(); k++) {
        sum += get(gate, row, k) * get(term.input(1), row, k * term.width() + j);
      }
      y[at + j] = (float) sum;
    }
  }

  private void norm(Term term, int row, float[] y, int at, double epsilon) {
    Term x = term.input(0);
    double squares = 0;
    for (int j = 0; j < x.width(); j++) {
      squares += get(x, row, j) * get(x, row, j);
    }
    double scale = 1 / Math.sqrt(squares / x.width() + epsilon);
    for (int j = 0; j < x.width(); j++) {
      y[at + j] = (float) (get(x, row, j) * scale * get(term.input(1), row, j));
    }
  }

  private static double combine(BinaryOp.Kind kind, double a, double b) {
    return switch (kind) {
      case ADD -> a + b;
      case SUB -> a - b;
      case MUL -> a * b;
      case DIV -> a / b;
    };
  }

  /**
   * @param kind or null
   */
  static double activate(UnaryOp.Kind kind, double x) {
    return switch (kind) {
      case null -> x;
      case RELU -> x < 0 ? 0 : x;
      case SIGMOID -> 1 / (1 + Math.exp(-x));
      case TANH -> Math.tanh(x);
      case SILU -> x / (1 + Math.exp(-x));
      case GELU, GELU_TANH -> throw new IllegalArgumentException("no recommender uses " + kind);
    };
  }
}
