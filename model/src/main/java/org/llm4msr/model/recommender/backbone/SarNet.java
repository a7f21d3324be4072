package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.Init;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;

/**
 * SAR-Net (Shen et al., CIKM 2021, arXiv 2110.06475): a scenario-specific linear transformation
 * {@code u = gamma_s * z + beta_s}, then a mixture of debias experts, some shared and some the
 * scenario's own, gated by {@code softmax(G_s u + c_s)}, and one network for the logit.
 *
 * <p>The paper's attention over behaviour in other scenarios belongs to sequence features here, and
 * its fairness coefficient to a log of interventions, which there is none of. Factors start at 1
 * and offsets at 0: a public implementation draws the offsets from [0, 1), normalises experts over
 * the mixed batch and leaves them linear.
 *
 * @param specificExperts experts of each scenario
 * @param sharedExperts experts that all share
 * @param hidden widths of each expert
 * @param tower widths of the network behind the mixture
 */
public record SarNet(
    int specificExperts, int sharedExperts, List<Integer> hidden, List<Integer> tower)
    implements Backbone {
  @Override
  public String name() {
    return "sarnet";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    long width = z.type().dim(1).fixed();
    Value gamma = model.ofScenario("backbone.gamma", ParameterGroup.FACTOR, Init.ones(), width);
    Value beta = model.ofScenario("backbone.beta", ParameterGroup.FACTOR, Init.zeros(), width);
    Value u = Ops.add(Ops.mul(gamma, z), beta);
    Value own = model.scenarioExperts("backbone.specific", u, specificExperts, hidden);
    Value shared = model.experts("backbone.shared", u, sharedExperts, hidden);
    int experts = specificExperts + sharedExperts;
    Value gate = Ops.softmax(model.scenarioLinear("backbone.gates.*.lin", u, experts, null));
    Value mixed = Ops.mixture(gate, own, shared);
    Value h = model.mlp("backbone.tower", mixed, tower);
    return model.linear("backbone.tower.out", ParameterGroup.NETWORK, h, 1, null);
  }
}
