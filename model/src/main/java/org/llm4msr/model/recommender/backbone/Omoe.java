package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;

/**
 * OMoE, the one-gate mixture of experts (Jacobs et al. 1991; the baseline of Ma et al., KDD 2018):
 * {@code y = tower_s(sum_k g_k e_k(z))} with one gate {@code g = softmax(G z + c)} for all
 * scenarios.
 *
 * @param experts how many
 * @param hidden widths of each expert
 * @param tower widths of each tower before its logit
 */
public record Omoe(int experts, List<Integer> hidden, List<Integer> tower) implements Backbone {
  @Override
  public String name() {
    return "omoe";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value e = model.experts("backbone.experts", z, experts, hidden);
    Value g =
        Ops.softmax(model.linear("backbone.gates.0.lin", ParameterGroup.NETWORK, z, experts, null));
    return model.towers("backbone.towers", Ops.mixture(g, e), tower);
  }
}
