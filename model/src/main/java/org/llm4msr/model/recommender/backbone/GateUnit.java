package org.llm4msr.model.recommender.backbone;

import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * PEPNet's Gate NU: {@code 2 sigmoid(W' ReLU(W x + b) + b')}, factors around 1.
 *
 * @param name prefix of the parameters
 * @param hidden width inside
 */
record GateUnit(String name, int hidden) {
  /** One gate for all scenarios: {@code [rows, width]}. */
  Value shared(ModelBuilder model, Value x, long width) {
    return factors(
        model.linear(name + ".out", ParameterGroup.NETWORK, inner(model, x), width, null));
  }

  /** Each row's own scenario's gate: {@code [rows, width]}. */
  Value ofScenario(ModelBuilder model, Value x, long width) {
    return factors(model.scenarioLinear(name + ".*.out", inner(model, x), width, null));
  }

  private Value inner(ModelBuilder model, Value x) {
    return model.linear(name + ".lin", ParameterGroup.NETWORK, x, hidden, UnaryOp.Kind.RELU);
  }

  private static Value factors(Value logits) {
    return Ops.scale(Ops.sigmoid(logits), 2, 0);
  }
}
