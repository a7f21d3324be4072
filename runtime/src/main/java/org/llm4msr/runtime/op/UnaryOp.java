package org.llm4msr.runtime.op;

import java.util.List;
import org.llm4msr.runtime.graph.Gradient;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Node;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.graph.ValueType;

/** An activation applied to every element; output like the input. */
public record UnaryOp(Kind kind) implements Op {
  /** The activations. */
  public enum Kind {
    /** max(x, 0); its gradient at 0 is 0. */
    RELU,
    /** 1 / (1 + exp(-x)). */
    SIGMOID,
    TANH,
    /** x * sigmoid(x). */
    SILU,
    /** x times the normal distribution function (Hendrycks and Gimpel 2016). */
    GELU,
    /** The same by its approximation: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). */
    GELU_TANH;

    /** Whether the gradient is computed from the output; SILU and GELU need the input. */
    public boolean gradientFromOutput() {
      return this == RELU || this == SIGMOID || this == TANH;
    }
  }

  @Override
  public String name() {
    return kind.name().toLowerCase(java.util.Locale.ROOT);
  }

  @Override
  public List<ValueType> infer(List<ValueType> in) {
    OpChecks.check(in.size() == 1 && OpChecks.sameCompute(in.get(0)), this, in, "one real value");
    return List.of(in.get(0));
  }

  @Override
  public Gradient[] gradient(Graph graph, Node node, Value[] dOut, boolean[] needed) {
    Value saved = kind.gradientFromOutput() ? node.output() : node.input(0);
    Value dX = graph.apply(new UnaryGradientOp(kind), saved, dOut[0]).get(0);
    return new Gradient[] {OpChecks.dense(dX)};
  }

  /** Passes a gradient back through a fused activation, which may be null. */
  static Value beforeActivation(Graph graph, Kind activation, Value output, Value dOutput) {
    if (activation == null) {
      return dOutput;
    }
    if (!activation.gradientFromOutput()) {
      throw new IllegalArgumentException(
          "a fused "
              + activation
              + " cannot be differentiated: apply it as an operator of its own");
    }
    return graph.apply(new UnaryGradientOp(activation), output, dOutput).get(0);
  }
}
