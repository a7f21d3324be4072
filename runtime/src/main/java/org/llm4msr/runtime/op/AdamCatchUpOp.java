package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.graph.ValueType;

/**
 * Brings rows of a table that {@link DeferredAdamOp} left alone up to the step before this one, so
 * that they may be read.
 *
 * <p>Inputs: p, m, v {@code [V, D]}, done I32 {@code [V]}, rates {@code [WINDOW, 2]}, then ids I32
 * {@code [B, F]} of which one column counts (or {@code [B]}), in any order, also twice; and F64
 * {@code [2]}: a learning rate, which is not read, and the number of this step from 1. Without ids:
 * all rows. No outputs.
 *
 * @param column of the ids; {@link SparseRowGradientOp#ALL_COLUMNS} for all of them
 */
public record AdamCatchUpOp(SparseAdamOp adam, int column) implements FusedOp {
  public AdamCatchUpOp {
    DeferredAdamOp.requireExact(adam);
  }

  /** Of all rows. */
  public static AdamCatchUpOp ofAllRows(SparseAdamOp adam) {
    return new AdamCatchUpOp(adam, SparseRowGradientOp.ALL_COLUMNS);
  }

  /** Whether every column of the ids counts. */
  public boolean allColumns() {
    return column == SparseRowGradientOp.ALL_COLUMNS;
  }

  @Override
  public String name() {
    return "adamCatchUp";
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(
        (in.size() == 6 && allColumns() || in.size() == 7 && hasColumn(in.get(5)))
            && DeferredAdamOp.isTable(in)
            && in.getLast().equals(ValueType.of(DType.F64, 2)),
        this,
        in,
        "p, m, v [V, D], done I32 [V], rates [WINDOW, 2], ids I32 [B, F], F64 [2]");
    return List.of();
  }

  private boolean hasColumn(ValueType ids) {
    return OpChecks.isIds(ids, 1) && (allColumns() || column == 0)
        || OpChecks.isIds(ids, 2) && (allColumns() || column >= 0 && column < ids.dim(1).fixed());
  }

  @Override
  public boolean hasEffect() {
    return true;
  }
}
