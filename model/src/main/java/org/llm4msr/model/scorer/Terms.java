package org.llm4msr.model.scorer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * Makes terms: equal ones are one object, constants are folded, and slices reach through what they
 * cut, so that nothing is computed that nobody reads. Linear layers are made by {@link
 * LinearRules}.
 */
final class Terms {
  private record Key(Term.Op op, List<Term> inputs) {}

  private final Map<Key, Term> known = new HashMap<>();
  private final Map<Term, Term> transposed = new HashMap<>();

  Term constant(float... elements) {
    return intern(new Term.Constant(elements), List.of(), elements.length);
  }

  Term leaf(Leaf leaf) {
    return intern(new Term.FromLeaf(leaf), List.of(), leaf.width());
  }

  Term concat(List<Term> parts) {
    List<Term> flat = new ArrayList<>();
    for (Term part : parts) {
      List<Term> pieces = part.op() instanceof Term.Concat ? part.inputs() : List.of(part);
      for (Term piece : pieces) {
        if (piece.width() > 0) {
          append(flat, piece);
        }
      }
    }
    if (flat.size() == 1) {
      return flat.getFirst();
    }
    return intern(new Term.Concat(), flat, flat.stream().mapToInt(Term::width).sum());
  }

  /** Neighbouring constants become one, and so do neighbouring slices of the same term. */
  private void append(List<Term> flat, Term piece) {
    Term last = flat.isEmpty() ? null : flat.getLast();
    if (last != null && isConstant(last) && isConstant(piece)) {
      float[] joined = Arrays.copyOf(last.elements(), last.width() + piece.width());
      System.arraycopy(piece.elements(), 0, joined, last.width(), piece.width());
      flat.set(flat.size() - 1, constant(joined));
    } else if (last != null
        && last.op() instanceof Term.Slice(int first, int middle)
        && piece.op() instanceof Term.Slice(int second, int end)
        && last.input(0) == piece.input(0)
        && middle == second) {
      flat.set(flat.size() - 1, slice(last.input(0), first, end));
    } else {
      flat.add(piece);
    }
  }

  Term concat(Term... parts) {
    return concat(Arrays.asList(parts));
  }

  /** Columns {@code [from, to)}. */
  Term slice(Term x, int from, int to) {
    if (from == 0 && to == x.width()) {
      return x;
    }
    return switch (x.op()) {
      case Term.Constant constant -> constant(Arrays.copyOfRange(constant.elements(), from, to));
      case Term.Slice(int first, int _) -> slice(x.input(0), first + from, first + to);
      case Term.Concat _ -> slicedConcat(x, from, to);
      case Term.Linear linear when linear.rows() == 1 && isConstant(x.input(1)) ->
          slicedLinear(x, linear, from, to);
      default -> intern(new Term.Slice(from, to), List.of(x), to - from);
    };
  }

  private Term slicedConcat(Term x, int from, int to) {
    List<Term> parts = new ArrayList<>();
    int at = 0;
    for (Term part : x.inputs()) {
      int begin = Math.max(from, at);
      int end = Math.min(to, at + part.width());
      if (begin < end) {
        parts.add(slice(part, begin - at, end - at));
      }
      at += part.width();
    }
    return concat(parts);
  }

  private Term slicedLinear(Term x, Term.Linear linear, int from, int to) {
    List<Term> inputs = new ArrayList<>(x.inputs());
    inputs.set(1, columns(inputs.get(1), linear.in(), from, to));
    for (int i = 2; i < inputs.size(); i++) {
      inputs.set(i, slice(inputs.get(i), from, to));
    }
    Term.Op op =
        new Term.Linear(
            1, linear.in(), to - from, linear.vector(), linear.row(), linear.activation());
    return fold(op, inputs, to - from);
  }

  /** Columns of a constant matrix of {@code rows} rows. */
  private Term columns(Term matrix, int rows, int from, int to) {
    int width = matrix.width() / rows;
    float[] cut = new float[rows * (to - from)];
    for (int r = 0; r < rows; r++) {
      System.arraycopy(matrix.elements(), r * width + from, cut, r * (to - from), to - from);
    }
    return constant(cut);
  }

  /** The transpose of a constant matrix of {@code rows} rows. */
  Term transpose(Term matrix, int rows) {
    return transposed.computeIfAbsent(
        matrix,
        m -> {
          int columns = m.width() / rows;
          float[] turned = new float[m.width()];
          for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
              turned[c * rows + r] = m.elements()[r * columns + c];
            }
          }
          return constant(turned);
        });
  }

  Term binary(BinaryOp.Kind kind, Term a, Term b) {
    return binary(kind, a, b, null);
  }

  /**
   * @param activation of the result, or null
   */
  Term binary(BinaryOp.Kind kind, Term a, Term b, UnaryOp.Kind activation) {
    int width = Math.max(a.width(), b.width());
    if (a.width() != width && a.width() != 1 || b.width() != width && b.width() != 1) {
      throw new IllegalArgumentException("widths " + a.width() + " and " + b.width());
    }
    if (activation == null) {
      boolean neutral =
          kind == BinaryOp.Kind.ADD && isAll(b, 0) || kind == BinaryOp.Kind.MUL && isAll(b, 1);
      if (neutral && a.width() == width) {
        return a;
      }
      boolean commutes = kind == BinaryOp.Kind.ADD || kind == BinaryOp.Kind.MUL;
      if (commutes && isConstant(a) && !isConstant(b)) {
        return binary(kind, b, a, null);
      }
    }
    return fold(new Term.Binary(kind, activation), List.of(a, b), width);
  }

  Term add(Term a, Term b) {
    return a == null ? b : b == null ? a : binary(BinaryOp.Kind.ADD, a, b);
  }

  Term unary(UnaryOp.Kind kind, Term x) {
    return kind == null ? x : fold(new Term.Unary(kind), List.of(x), x.width());
  }

  Term scale(Term x, double factor, double offset) {
    return fold(new Term.Scale(factor, offset), List.of(x), x.width());
  }

  Term softmax(Term x) {
    return fold(new Term.Softmax(), List.of(x), x.width());
  }

  /** A gate that is 1 once and 0 elsewhere is a choice: nothing else needs to be computed. */
  Term mixture(Term gate, Term x) {
    int width = x.width() / gate.width();
    int chosen = isConstant(gate) ? oneHot(gate.elements()) : -1;
    return chosen >= 0
        ? slice(x, chosen * width, (chosen + 1) * width)
        : fold(new Term.Mixture(), List.of(gate, x), width);
  }

  private static int oneHot(float[] gate) {
    int chosen = -1;
    for (int i = 0; i < gate.length; i++) {
      if (gate[i] == 1 && chosen < 0) {
        chosen = i;
      } else if (gate[i] != 0) {
        return -1;
      }
    }
    return chosen;
  }

  Term rmsNorm(Term x, Term weight, double epsilon) {
    return fold(new Term.RmsNorm(epsilon), List.of(x, weight), x.width());
  }

  Term repeat(Term x, int times) {
    return times == 1 ? x : fold(new Term.Repeat(times), List.of(x), x.width() * times);
  }

  /** A linear layer as it is; see {@link Term.Linear}. */
  Term plainLinear(
      int rows, int in, int out, Term x, Term w, Term vector, Term row, UnaryOp.Kind activation) {
    if (x.width() != rows * in || w.width() != in * out) {
      throw new IllegalArgumentException(
          "%d numbers and a matrix of %d for %d x %d x %d"
              .formatted(x.width(), w.width(), rows, in, out));
    }
    List<Term> inputs = new ArrayList<>(List.of(x, w));
    if (vector != null) {
      inputs.add(vector);
    }
    if (row != null) {
      inputs.add(row);
    }
    Term.Op op = new Term.Linear(rows, in, out, vector != null, row != null, activation);
    return fold(op, inputs, rows * out);
  }

  static boolean isConstant(Term term) {
    return term.op() instanceof Term.Constant;
  }

  private static boolean isAll(Term term, float value) {
    if (!isConstant(term)) {
      return false;
    }
    for (float element : term.elements()) {
      if (element != value) {
        return false;
      }
    }
    return true;
  }

  private Term fold(Term.Op op, List<Term> inputs, int width) {
    Term term = intern(op, inputs, width);
    return term.stage() == Term.Stage.CONSTANT
        ? constant(new TermEvaluator(1, null).evaluate(term))
        : term;
  }

  private Term intern(Term.Op op, List<Term> inputs, int width) {
    return known.computeIfAbsent(
        new Key(op, List.copyOf(inputs)),
        key -> {
          int dependencies =
              op instanceof Term.FromLeaf(Leaf leaf) ? leaf.source().dependencies() : 0;
          for (Term input : inputs) {
            dependencies |= input.dependencies();
          }
          return new Term(op, key.inputs(), width, dependencies);
        });
  }
}
