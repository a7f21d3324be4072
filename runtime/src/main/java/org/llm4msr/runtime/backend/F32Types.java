package org.llm4msr.runtime.backend;

import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.op.AdamCatchUpOp;
import org.llm4msr.runtime.op.AdamOp;
import org.llm4msr.runtime.op.BlockInt8MatMulOp;
import org.llm4msr.runtime.op.DeferredAdamOp;
import org.llm4msr.runtime.op.DropoutOp;
import org.llm4msr.runtime.op.GatedMatMulOp;
import org.llm4msr.runtime.op.GatherOp;
import org.llm4msr.runtime.op.Int8MatMulOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MatMulsOp;
import org.llm4msr.runtime.op.Op;
import org.llm4msr.runtime.op.SparseAdamOp;
import org.llm4msr.runtime.op.SparseRowAdamOp;

/** What backends that compute in F32 take. */
public final class F32Types {
  private F32Types() {}

  /** Whether an input may be weights or a table in any stored type. */
  public static boolean isStored(Op op, int input) {
    return switch (op) {
      case MatMulOp _, Int8MatMulOp _, BlockInt8MatMulOp _ -> input == 1;
      case GatedMatMulOp _, MatMulsOp _ -> input > 0;
      case GatherOp _ -> input == 0;
      default -> false;
    };
  }

  /**
   * Real inputs are F32, but for weights, tables and the optimisers' state.
   *
   * @throws UnsupportedOperationException that names the backend and the input
   */
  public static void require(String backend, Op op, List<Operand> in) {
    for (int i = 0; i < in.size(); i++) {
      DType dtype = in.get(i).dtype();
      boolean stored = isStored(op, i);
      boolean state =
          switch (op) {
            case AdamOp _,
                SparseAdamOp _,
                SparseRowAdamOp _,
                DeferredAdamOp _,
                AdamCatchUpOp _,
                DropoutOp _ ->
                i == in.size() - 1;
            default -> false;
          };
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
