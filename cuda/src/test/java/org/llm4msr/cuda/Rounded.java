package org.llm4msr.cuda;

import org.llm4msr.runtime.conformance.ConformanceCase;
import org.llm4msr.runtime.op.AttentionOp;
import org.llm4msr.runtime.op.GatedMatMulOp;
import org.llm4msr.runtime.op.MatMulOp;
import org.llm4msr.runtime.op.MatMulsOp;
import org.llm4msr.runtime.op.RowAttentionOp;

/** Which cases of the conformance suite are computed in BF16, and what that costs. */
final class Rounded {
  /**
   * Half a unit in BF16's last place is 2^-8 of a value at most, and the error's mean square some
   * sixth of that squared, 2.5e-6. Activations are rounded, quantised weights too, and what a bias
   * or a residual cancels makes the error larger against what is left.
   */
  static final double MAX_NMSE = 1e-4;

  private Rounded() {}

  /** Whether a case's activations are rounded to BF16. */
  static boolean is(ConformanceCase conformanceCase) {
    return switch (conformanceCase.op()) {
      case MatMulOp op when op.transposeB() && !op.transposeA() ->
          switch (conformanceCase.inputs().get(1).type().dtype()) {
            case BF16, Q8_0, Q4_0 -> true;
            default -> false;
          };
      case GatedMatMulOp _, MatMulsOp _ -> true;
      case AttentionOp op -> op.rounded();
      case RowAttentionOp op -> op.attention().rounded();
      default -> false;
    };
  }

  static double maxNmse(ConformanceCase conformanceCase) {
    return is(conformanceCase) ? MAX_NMSE : conformanceCase.maxNmse();
  }
}
