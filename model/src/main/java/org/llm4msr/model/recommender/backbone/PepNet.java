package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.runtime.graph.Value;

/**
 * PEPNet (Chang et al., KDD 2023, arXiv 2302.01115): {@link EpNet}'s gate on the features, then
 * {@link PpNet}'s towers on what it lets through.
 *
 * <p>The paper's towers belong to tasks; with one task scenarios take their place. One inner layer
 * serves the gates of all towers and layers, which read the same, where a public implementation has
 * one for each.
 *
 * @param hidden widths of each tower before its logit
 * @param gate width inside the gates
 * @param prior as for {@link PpNet}
 * @param scenarioDim width of the scenario's vector
 */
public record PepNet(List<Integer> hidden, int gate, List<String> prior, int scenarioDim)
    implements Backbone {
  @Override
  public String name() {
    return "pepnet";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value gated = EpNet.gated(model, z, gate, scenarioDim);
    return PpNet.towers(model, gated, hidden, gate, prior);
  }
}
