package org.llm4msr.model.scorer;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * Linear layers, taken apart by what their input depends on. {@code [user; item] W} is {@code user
 * W_u + item W_i}: the first is computed once for a request, the second once for an item when the
 * snapshot is made. {@code (x + u) W} is {@code x W + u W}. And where u itself is {@code h U + b}
 * with a narrow h, u W is {@code h (U W) + b W}: the product of both matrices costs a user once
 * what it would cost every item.
 */
final class LinearRules {
  private final Terms terms;
  private final boolean precompute;

  /** One summand of a layer: x times a matrix of {@code in} rows. */
  private record Summand(Term x, Term w, int in) {
    int dependencies() {
      return x.dependencies() | w.dependencies();
    }

    boolean isRow() {
      return dependencies() != Term.ITEM && (dependencies() & Term.ITEM) != 0;
    }
  }

  /** Summands, and what is left to add. */
  private static final class Sum {
    private final List<Summand> summands = new ArrayList<>();
    private Term vector;
    private Term item;
    private Term row;
  }

  /**
   * @param precompute whether items' parts of layers may be held ready; if not they are computed
   *     for each request
   */
  LinearRules(Terms terms, boolean precompute) {
    this.terms = terms;
    this.precompute = precompute;
  }

  /**
   * {@code act(x W + addend)}.
   *
   * @param w {@code in * out} numbers, row after row
   * @param addend of width {@code out}, or null
   * @param activation or null
   */
  Term linear(Term x, Term w, int in, int out, Term addend, UnaryOp.Kind activation) {
    Sum sum = new Sum();
    decompose(x, w, in, out, sum);
    add(sum, addend);
    List<Summand> rows = new ArrayList<>();
    List<Summand> items = new ArrayList<>();
    List<Summand> vectors = new ArrayList<>();
    for (Summand summand : sum.summands) {
      boolean ofItem = summand.dependencies() == Term.ITEM;
      List<Summand> kind =
          summand.isRow() || ofItem && !precompute && sum.summands.size() > 1
              ? rows
              : ofItem ? items : vectors;
      kind.add(summand);
    }
    if (items.isEmpty() && sum.item == null && rows.isEmpty() && sum.row == null) {
      return total(vectors, out, sum.vector, activation);
    }
    Term vector = total(vectors, out, sum.vector, null);
    Term item = total(items, out, sum.item, null);
    if (rows.isEmpty() && sum.row == null) {
      return joined(item, vector, activation);
    }
    Term row = terms.add(item, sum.row);
    List<Summand> merged = merged(rows);
    if (merged.isEmpty()) {
      return joined(row, vector, activation);
    }
    for (int i = 0; i < merged.size(); i++) {
      Summand summand = merged.get(i);
      boolean first = i == 0;
      boolean last = i == merged.size() - 1;
      row =
          terms.plainLinear(
              1,
              summand.in,
              out,
              summand.x,
              summand.w,
              first ? vector : null,
              row,
              last ? activation : null);
    }
    return row;
  }

  private Term joined(Term item, Term vector, UnaryOp.Kind activation) {
    return item != null && vector != null && activation != null
        ? terms.binary(BinaryOp.Kind.ADD, item, vector, activation)
        : terms.unary(activation, terms.add(item, vector));
  }

  /** One product for all of them: inputs side by side, matrices one below the other. */
  private Term total(List<Summand> summands, int out, Term addend, UnaryOp.Kind activation) {
    if (summands.isEmpty()) {
      return addend == null ? null : terms.unary(activation, addend);
    }
    Summand one = joined(summands);
    boolean vector = addend != null && addend.stage() != Term.Stage.ITEM;
    return terms.plainLinear(
        1, one.in, out, one.x, one.w, vector ? addend : null, vector ? null : addend, activation);
  }

  private Summand joined(List<Summand> summands) {
    return new Summand(
        terms.concat(summands.stream().map(Summand::x).toList()),
        terms.concat(summands.stream().map(Summand::w).toList()),
        summands.stream().mapToInt(Summand::in).sum());
  }

  /** Summands whose inputs can be held side by side, those of items, become one. */
  private List<Summand> merged(List<Summand> rows) {
    List<Summand> ofItems =
        rows.stream().filter(summand -> summand.x.stage() == Term.Stage.ITEM).toList();
    List<Summand> result = new ArrayList<>();
    if (!ofItems.isEmpty()) {
      result.add(joined(ofItems));
    }
    rows.stream().filter(summand -> summand.x.stage() != Term.Stage.ITEM).forEach(result::add);
    return result;
  }

  private void add(Sum sum, Term addend) {
    if (addend == null) {
      return;
    }
    switch (addend.stage()) {
      case CONSTANT, VECTOR -> sum.vector = terms.add(sum.vector, addend);
      case ITEM -> sum.item = terms.add(sum.item, addend);
      case ROW -> sum.row = terms.add(sum.row, addend);
    }
  }

  /** Appends the summands of {@code x W}. */
  private void decompose(Term x, Term w, int in, int out, Sum sum) {
    boolean mixed = x.stage() == Term.Stage.ROW;
    switch (x.op()) {
      case Term.Concat _ when mixed || x.stage() == Term.Stage.ITEM -> {
        int row = 0;
        for (Term part : x.inputs()) {
          int next = row + part.width();
          decompose(part, terms.slice(w, row * out, next * out), part.width(), out, sum);
          row = next;
        }
      }
      case Term.Binary(BinaryOp.Kind kind, UnaryOp.Kind activation)
          when mixed && kind == BinaryOp.Kind.ADD && activation == null -> {
        if (!tryAll(x.inputs(), w, in, out, sum)) {
          sum.summands.add(new Summand(x, w, in));
        }
      }
      case Term.Binary(BinaryOp.Kind kind, UnaryOp.Kind activation)
          when mixed
              && kind == BinaryOp.Kind.MUL
              && activation == null
              && x.input(0).width() == in
              && Terms.isConstant(x.input(1))
              && Terms.isConstant(w) ->
          decompose(x.input(0), scaled(w, x.input(1), in, out), in, out, sum);
      case Term.Linear inner
          when mixed && inner.rows() == 1 && inner.activation() == null && inner.in() < in ->
          through(x, inner, w, out, sum);
      default -> sum.summands.add(new Summand(x, w, in));
    }
  }

  /** Takes a sum apart if at least one part then needs no work for each score. */
  private boolean tryAll(List<Term> parts, Term w, int in, int out, Sum sum) {
    Sum tried = new Sum();
    for (Term part : parts) {
      Term wide = part.width() == in ? part : terms.repeat(part, in);
      decompose(wide, w, in, out, tried);
    }
    if (tried.summands.stream().allMatch(Summand::isRow) && tried.vector == null) {
      return false;
    }
    sum.summands.addAll(tried.summands);
    add(sum, tried.vector);
    add(sum, tried.item);
    add(sum, tried.row);
    return true;
  }

  /** {@code (h U + b) W = h (U W) + b W}. */
  private void through(Term x, Term.Linear inner, Term w, int out, Sum sum) {
    Term product = product(x.input(1), inner.in(), inner.out(), w, out);
    sum.summands.add(new Summand(x.input(0), product, inner.in()));
    for (int i = 2; i < x.inputs().size(); i++) {
      decompose(x.input(i), w, inner.out(), out, sum);
    }
  }

  /**
   * {@code U W}. If U is generated, {@code U = t A + a}, so is the product: {@code t (A W) + a W},
   * where both matrices are constant; taken where it costs a request less.
   */
  private Term product(Term u, int rows, int in, Term w, int out) {
    boolean generated =
        u.op() instanceof Term.Linear linear
            && linear.rows() == 1
            && linear.activation() == null
            && Terms.isConstant(w)
            && u.inputs().stream().skip(1).allMatch(Terms::isConstant);
    if (!generated) {
      return terms.plainLinear(rows, in, out, u, w, null, null, null);
    }
    int rank = ((Term.Linear) u.op()).in();
    long folded = (long) rank * rows * out;
    long apart = (long) rank * rows * in + (long) rows * in * out;
    if (folded > apart) {
      return terms.plainLinear(rows, in, out, u, w, null, null, null);
    }
    Term generator = terms.plainLinear(rank * rows, in, out, u.input(1), w, null, null, null);
    Term common =
        u.inputs().size() < 3
            ? null
            : terms.plainLinear(rows, in, out, u.input(2), w, null, null, null);
    return terms.plainLinear(1, rank, rows * out, u.input(0), generator, common, null, null);
  }

  /** The matrix with its rows multiplied by these factors. */
  private Term scaled(Term w, Term factors, int in, int out) {
    float[] result = w.elements().clone();
    for (int i = 0; i < in; i++) {
      float factor = factors.elements()[factors.width() == 1 ? 0 : i];
      for (int j = 0; j < out; j++) {
        result[i * out + j] *= factor;
      }
    }
    return terms.constant(result);
  }
}
