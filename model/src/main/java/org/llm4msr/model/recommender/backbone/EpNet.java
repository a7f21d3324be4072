package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;

/**
 * EPNet, the embedding level of PEPNet (Chang et al., KDD 2023, arXiv 2302.01115) alone: the
 * scenario scales the features, {@code o = GateNU([e_s; sg(z)]) * z}, before one network for all,
 * {@code y = MLP(o)}. No gradient passes through the gate's reading of z (sg).
 *
 * <p>Of the scenario the gate reads a learned vector alone. The paper adds what is counted of users
 * and items in it; such a column is a feature here, and part of z. In the paper PPNet follows, as
 * in {@link PepNet}; that EPNet alone ends in one network is a public implementation's form.
 *
 * @param hidden widths before the logit
 * @param gate width inside the gate
 * @param scenarioDim width of the scenario's vector
 */
public record EpNet(List<Integer> hidden, int gate, int scenarioDim) implements Backbone {
  @Override
  public String name() {
    return "epnet";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value h = model.mlp("backbone.mlp", gated(model, z, gate, scenarioDim), hidden);
    return model.linear("backbone.mlp.out", ParameterGroup.NETWORK, h, 1, null);
  }

  /** z as the scenario scales it. */
  static Value gated(ModelBuilder model, Value z, int gate, int scenarioDim) {
    Value input = Ops.concat(model.scenarioEmbedding(scenarioDim), Ops.stopGradient(z));
    GateUnit unit = new GateUnit("backbone.ep_gate", gate);
    return Ops.mul(unit.shared(model, input, z.type().dim(1).fixed()), z);
  }
}
