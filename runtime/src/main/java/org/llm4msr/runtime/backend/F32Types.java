package org.llm4msr.runtime.backend;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.BlockInt8MatMulOp;
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.Int8MatMulOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.SparseAdamOp;

/** What backends that compute in F32 take. */
public final class F32Types {
  private F32Types() {}

  /** Whether its second operand may be weights in any stored type. */
  public static boolean isProduct(Op op) {
    return op instanceof MatMulOp || op instanceof Int8MatMulOp || op instanceof BlockInt8MatMulOp;
  }

  /**
   * Real inputs are F32, but for weights, tables and the optimisers' state.
   *
   * @throws UnsupportedOperationException that names the backend and the input
   */
  public static void require(String backend, Op op, List<Operand> in) {
    for (int i = 0; i < in.size(); i++) {
      DType dtype = in.get(i).dtype();
      boolean stored = isProduct(op) && i == 1 || op instanceof GatherOp && i == 0;
      boolean state =
          (op instanceof AdamOp || op instanceof SparseAdamOp || op instanceof DropoutOp)
              && i == in.size() - 1;
      boolean fits =
          state
              ? dtype == DType.F64
              : dtype == DType.F32
                  || dtype == DType.I32
                  || stored && dtype.isFloat() && dtype != DType.F64;
      if (!fits) {
        throw new UnsupportedOperationException(
            "the %s backend has no %s with input %d in %s".formatted(backend, op.name(), i, dtype));
      }
    }
  }
}
