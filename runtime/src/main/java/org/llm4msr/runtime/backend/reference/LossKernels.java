package org.llm4msr.runtime.backend.reference;

import java.util.List;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.op.BceWithLogitsGradientOp;
import org.llm4msr.runtime.op.BceWithLogitsOp;

/** Binary cross-entropy. */
final class LossKernels {
  private LossKernels() {}

  static Kernel bce(BceWithLogitsOp op, List<Operand> inputs, Operand loss) {
    Operand logits = inputs.get(0);
    Operand labels = inputs.get(1);
    return () -> {
      long batch = logits.dim(0);
      double sum = 0;
      for (long i = 0; i < batch; i++) {
        double y = Elements.get(logits, i);
        double weight = op.weighted() ? Elements.get(inputs.get(2), i) : 1;
        double entropy =
            Math.max(y, 0) - y * Elements.get(labels, i) + Math.log1p(Math.exp(-Math.abs(y)));
        sum += weight * entropy;
      }
      Elements.set(loss, 0, batch == 0 ? 0 : sum / batch);
    };
  }

  static Kernel bceGradient(BceWithLogitsGradientOp op, List<Operand> inputs, Operand dLogits) {
    Operand logits = inputs.get(0);
    Operand labels = inputs.get(1);
    Operand dLoss = inputs.get(inputs.size() - 1);
    return () -> {
      long batch = logits.dim(0);
      double share = Elements.get(dLoss, 0) / batch;
      for (long i = 0; i < batch; i++) {
        double weight = op.weighted() ? Elements.get(inputs.get(2), i) : 1;
        double error = Activations.sigmoid(Elements.get(logits, i)) - Elements.get(labels, i);
        Elements.set(dLogits, i, share * weight * error);
      }
    };
  }
}
