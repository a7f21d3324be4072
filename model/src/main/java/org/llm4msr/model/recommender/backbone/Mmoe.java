package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;

/**
 * MMoE (Ma et al., KDD 2018): {@code y = tower_s(sum_k g_s[k] e_k(z))}, experts shared by all, a
 * gate {@code g_s = softmax(G_s z + c_s)} per scenario. Of the gates and towers each row runs its
 * own scenario's only; public implementations run all of them on every row, with batch statistics
 * over mixed scenarios in the experts, which make a row's prediction depend on the others.
 *
 * @param experts how many
 * @param hidden widths of each expert
 * @param tower widths of each tower before its logit
 */
public record Mmoe(int experts, List<Integer> hidden, List<Integer> tower) implements Backbone {
  @Override
  public String name() {
    return "mmoe";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value e = model.experts("backbone.experts", z, experts, hidden);
    Value g = Ops.softmax(model.scenarioLinear("backbone.gates.*.lin", z, experts, null));
    return model.towers("backbone.towers", Ops.mixture(g, e), tower);
  }
}
