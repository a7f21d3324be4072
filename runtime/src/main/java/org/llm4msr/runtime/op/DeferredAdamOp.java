package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.ValueType;

/**
 * A step of exact {@link SparseAdamOp} for the listed rows; the others take it when {@link
 * AdamCatchUpOp} asks for them, or when their turn comes: each step brings another part of the
 * table up to date, so that no row misses more than {@link #WINDOW} steps. Where tables are larger
 * than caches, memory moves once for all of these. Every row sees the same steps in the same order.
 *
 * <p>Inputs: p, m, v {@code [V, D]}, done I32 {@code [V]}: the last step that a row has taken;
 * rates {@code [WINDOW, 2]}: {@code lr/(1-beta1^t)} and {@code 1/(1-beta2^t)} of the last steps,
 * step t in row t mod WINDOW; rows I32 {@code [n]} ascending, count I32 {@code [1]}, values {@code
 * [n, D]}, and F64 {@code [2]}: the learning rate and the step number from 1. No outputs. Steps
 * must follow one another.
 */
public record DeferredAdamOp(SparseAdamOp adam) implements FusedOp {
  public static final String NAME = "deferredAdam";

  /** Steps that a row may miss, a power of two. */
  public static final int WINDOW = 32;

  public DeferredAdamOp {
    requireExact(adam);
  }

  static void requireExact(SparseAdamOp adam) {
    if (adam.lazy()) {
      throw new IllegalArgumentException("lazy Adam has no steps to catch up with");
    }
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        in.size() == 9 && isTable(in),
        this,
        in,
        "p, m, v [V, D], done I32 [V], rates [WINDOW, 2], rows I32 [n], count I32 [1], values [n, D], F64 [2]");
    adam.infer(
        List.of(in.get(0), in.get(1), in.get(2), in.get(5), in.get(6), in.get(7), in.get(8)));
    return List.of();
  }

  /** Whether the first five inputs are a table and what is kept of its steps. */
  static boolean isTable(List<ValueType> in) {
    ValueType p = in.get(0);
    return OpChecks.isMatrix(p)
        && in.get(1).equals(p)
        && in.get(2).equals(p)
        && in.get(3).equals(ValueType.of(DType.I32, p.dim(0)))
        && in.get(4).equals(ValueType.of(p.dtype(), WINDOW, 2));
  }

  @Override
  public boolean hasEffect() {
    return true;
  }
}
