package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.runtime.graph.Value;

/**
 * SharedBottom (Caruana 1997): {@code y = tower_s(MLP(z))}, one bottom for all, one tower per
 * scenario.
 *
 * @param bottom widths of the bottom
 * @param tower widths of each tower before its logit
 */
public record SharedBottom(List<Integer> bottom, List<Integer> tower) implements Backbone {
  @Override
  public String name() {
    return "sharedbottom";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    return model.towers("backbone.towers", model.mlp("backbone.bottom", z, bottom), tower);
  }
}
