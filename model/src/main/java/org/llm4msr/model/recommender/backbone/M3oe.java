package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.Init;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * M3oE (Zhang et al., SIGIR 2024, arXiv 2404.18465) with one task: the scenario's representation
 * {@code x = ReLU(z (W * W_s) + b + b_s) + ReLU(R z + r)}; then three modules of experts on x.
 * Common: {@code c = sum_k softmax(G_s x)_k e_k}. Domain: {@code d = w p_s + (1 - w)/(S - 1) sum_{i
 * != s} p_i}. Task: t, a single expert. {@code y = tower_s(c + w_d d + w_t t)}.
 *
 * <p>The weights w, w_d and w_t are sigmoids of learned numbers, as in the paper, but trained with
 * everything else on the training rows: the paper searches them on the validation rows, which then
 * measure nothing any more. Gates see x with its gradient.
 *
 * @param star width of the representation
 * @param experts common experts
 * @param hidden widths of each expert
 * @param tower widths of each tower before its logit
 */
public record M3oe(int star, int experts, List<Integer> hidden, List<Integer> tower)
    implements Backbone {
  private static final ParameterGroup GROUP = ParameterGroup.NETWORK;

  @Override
  public String name() {
    return "m3oe";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    int scenarios = model.schema().scenarios();
    Value x = representation(model, z);
    Value all = model.experts("backbone.experts", x, experts + scenarios + 1, hidden);
    long width = hidden.getLast();
    Value common = Ops.slice(all, 0, experts * width);
    Value domain = Ops.slice(all, experts * width, (experts + scenarios) * width);
    Value task = Ops.slice(all, (experts + scenarios) * width, (experts + scenarios + 1) * width);
    Value gate = Ops.softmax(model.scenarioLinear("backbone.gates.*.lin", x, experts, null));
    Value fused = Ops.mixture(gate, common);
    fused = Ops.add(fused, Ops.mul(weight(model, "domain"), Ops.mixture(shares(model), domain)));
    fused = Ops.add(fused, Ops.mul(weight(model, "task"), task));
    return model.towers("backbone.towers", fused, tower);
  }

  private Value representation(ModelBuilder model, Value z) {
    long in = z.type().dim(1).fixed();
    long scenarios = model.schema().scenarios();
    Value weight =
        Ops.mul(
            model.parameter("backbone.shared_w", GROUP, Init.fanIn(in), star, in),
            model.parameter(
                "backbone.spec_w.*", ParameterGroup.FACTOR, Init.ones(), scenarios, star, in));
    Value bias =
        Ops.add(
            model.parameter("backbone.shared_b", GROUP, Init.zeros(), star),
            model.parameter("backbone.spec_b.*", GROUP, Init.zeros(), scenarios, star));
    Value own = Ops.groupedLinear(z, weight, true, bias, model.byScenario(), UnaryOp.Kind.RELU);
    return Ops.add(own, model.linear("backbone.skip", GROUP, z, star, UnaryOp.Kind.RELU));
  }

  /** w at each row's own scenario, the rest shared equally by the others: {@code [rows, S]}. */
  private static Value shares(ModelBuilder model) {
    int scenarios = model.schema().scenarios();
    Value indicator = model.scenarioIndicator();
    if (scenarios == 1) {
      return indicator;
    }
    Value w = weight(model, "balance");
    Value others = Ops.scale(w, -1.0 / (scenarios - 1), 1.0 / (scenarios - 1));
    return Ops.add(others, Ops.mul(Ops.sub(w, others), indicator));
  }

  /** The sigmoid of a learned number, {@code [1]}, which starts at 1/2. */
  private static Value weight(ModelBuilder model, String name) {
    return Ops.sigmoid(
        model.parameter("backbone.weight." + name, ParameterGroup.FACTOR, Init.zeros(), 1));
  }
}
