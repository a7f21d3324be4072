package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.Init;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * APG (Yan et al., NeurIPS 2022, arXiv 2203.16218): every layer's weights are {@code U S V} of low
 * rank, U and V shared by all rows, the core S {@code [k, k]} generated from a condition: {@code h
 * := ReLU(((h V) S) U + b)}. The condition is the scenario's vector (the paper's group-wise form:
 * one core per scenario) or the row's features (self-wise: one per row, applied without a matrix
 * product per row).
 *
 * <p>The paper's over-parameterisation of U and V as products of two matrices is the same function
 * and left out. Cores start at the identity plus a little: random ones shrink what passes. Every
 * layer's core is generated from the same condition, the row's being z whatever the layer. The
 * paper's mix-wise form mixes several conditions; here there is one, so there is none.
 *
 * @param hidden widths before the logit
 * @param rank k
 * @param generator widths of the network that makes the cores
 * @param condition what it reads
 * @param scenarioDim width of the scenario's vector
 */
public record Apg(
    List<Integer> hidden, int rank, List<Integer> generator, Condition condition, int scenarioDim)
    implements Backbone {
  /** What the cores depend on. */
  public enum Condition {
    /** The row's scenario. */
    SCENARIO,
    /** The row's features. */
    ROW
  }

  private static final ParameterGroup GROUP = ParameterGroup.NETWORK;

  /** Of the generated part of a core at the start. */
  private static final double VARIATION = 0.1;

  @Override
  public String name() {
    return "apg";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value source = condition == Condition.ROW ? z : model.scenarioTable(scenarioDim);
    Value h = z;
    for (int i = 0; i < hidden.size(); i++) {
      String name = "backbone.layer." + i;
      long in = h.type().dim(1).fixed();
      Value v = model.parameter(name + ".v", GROUP, Init.fanIn(in), rank, in);
      Value narrow = Ops.linear(h, v, null, null);
      Value core = core(model, name + ".core", source);
      Value mixed =
          condition == Condition.ROW
              ? Ops.mixture(narrow, core)
              : Ops.groupedLinear(
                  narrow,
                  Ops.reshape(core, Dim.of(model.schema().scenarios()), Dim.of(rank), Dim.of(rank)),
                  false,
                  null,
                  model.byScenario(),
                  null);
      h = model.linear(name + ".u", GROUP, mixed, hidden.get(i), UnaryOp.Kind.RELU);
    }
    return model.linear("backbone.out", GROUP, h, 1, null);
  }

  /** {@code [n, k * k]}: the identity plus what the network makes of the condition. */
  private Value core(ModelBuilder model, String name, Value source) {
    Value inner = model.mlp(name, source, generator);
    long in = inner.type().dim(1).fixed();
    long size = (long) rank * rank;
    Init small = new Init.Uniform(VARIATION / Math.sqrt(in));
    Value weight = model.parameter(name + ".out.weight", GROUP, small, size, in);
    Value bias = model.parameter(name + ".out.bias", GROUP, Init.zeros(), size);
    double[] identity = new double[Math.toIntExact(size)];
    for (int i = 0; i < rank; i++) {
      identity[i * rank + i] = 1;
    }
    Value ones = model.graph().constant(identity, size);
    return Ops.linear(inner, weight, Ops.add(bias, ones), null);
  }
}
