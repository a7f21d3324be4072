package org.llm4msr.model.scorer;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.op.BinaryOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * A value of a model whose scenario is fixed: for each score a list of {@link #width} numbers,
 * which may be the same for all scores of a user, a request or an item. Generated matrices are such
 * lists too, row after row. {@link Terms} makes terms and keeps equal ones one object.
 */
final class Term {
  /** Bit of {@link #dependencies}: depends on the user. */
  static final int USER = 1;

  /** Bit of {@link #dependencies}: depends on the request's own features. */
  static final int REQUEST = 2;

  /** Bit of {@link #dependencies}: depends on the item. */
  static final int ITEM = 4;

  /** When a term can be computed. */
  enum Stage {
    /** Once and for all. */
    CONSTANT,
    /** Once for a user or a request. */
    VECTOR,
    /** Once for an item. */
    ITEM,
    /** For each score. */
    ROW
  }

  /** How a term comes from its inputs. */
  sealed interface Op {}

  /** Fixed numbers; equal if all are. */
  static final class Constant implements Op {
    private final float[] elements;
    private final int hash;

    Constant(float[] elements) {
      this.elements = elements;
      hash = Arrays.hashCode(elements);
    }

    float[] elements() {
      return elements;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Constant constant
          && hash == constant.hash
          && Arrays.equals(elements, constant.elements);
    }

    @Override
    public int hashCode() {
      return hash;
    }
  }

  record FromLeaf(Leaf leaf) implements Op {}

  /**
   * {@code act(x W + vector + row)}: inputs x of {@code rows * in}, W of {@code in * out}, then the
   * addends where there are some. With several rows x is a matrix, of which each row is multiplied.
   *
   * @param vector whether there is an addend that does not depend on the item
   * @param row whether there is an addend that does
   * @param activation or null
   */
  record Linear(int rows, int in, int out, boolean vector, boolean row, UnaryOp.Kind activation)
      implements Op {}

  /** Number by number; an operand of width 1 stands for every column. */
  record Binary(BinaryOp.Kind kind, UnaryOp.Kind activation) implements Op {}

  record Unary(UnaryOp.Kind kind) implements Op {}

  /** {@code factor x + offset}. */
  record Scale(double factor, double offset) implements Op {}

  record Softmax() implements Op {}

  /** {@code sum_k gate_k x_k} over blocks of x. */
  record Mixture() implements Op {}

  record RmsNorm(double epsilon) implements Op {}

  record Concat() implements Op {}

  /** Columns {@code [from, to)}. */
  record Slice(int from, int to) implements Op {}

  /** Every column {@code times} times. */
  record Repeat(int times) implements Op {}

  private final Op op;
  private final List<Term> inputs;
  private final int width;
  private final int dependencies;

  Term(Op op, List<Term> inputs, int width, int dependencies) {
    this.op = op;
    this.inputs = inputs;
    this.width = width;
    this.dependencies = dependencies;
  }

  Op op() {
    return op;
  }

  List<Term> inputs() {
    return inputs;
  }

  Term input(int index) {
    return inputs.get(index);
  }

  int width() {
    return width;
  }

  int dependencies() {
    return dependencies;
  }

  Stage stage() {
    if (dependencies == 0) {
      return Stage.CONSTANT;
    }
    if ((dependencies & ITEM) == 0) {
      return Stage.VECTOR;
    }
    return dependencies == ITEM ? Stage.ITEM : Stage.ROW;
  }

  /** Elements of a constant. */
  float[] elements() {
    return ((Constant) op).elements();
  }
}
