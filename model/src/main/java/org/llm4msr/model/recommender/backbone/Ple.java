package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.Init;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;

/**
 * PLE (Tang et al., RecSys 2020): levels of customised gate control. At each level scenario i has
 * experts of its own on {@code x_i} and all share some on {@code x_0}; the next {@code x_i} is
 * gated from its own and the shared ones, the next {@code x_0} from all. Finally {@code y =
 * tower_s(x_s)}.
 *
 * <p>The last level needs no {@code x_0}, and of the others each row's own scenario only: there a
 * row runs its own experts, gate and tower. Experts of earlier levels cannot be routed, since
 * {@code x_0} mixes all of them; the gates of the last but one can. Public implementations stop at
 * fixed levels or compute a last {@code x_0} whose gate never trains.
 *
 * @param levels how many, at least 1
 * @param specificExperts experts of each scenario
 * @param sharedExperts experts that all share
 * @param hidden widths of each expert, at every level
 * @param tower widths of each tower before its logit
 */
public record Ple(
    int levels, int specificExperts, int sharedExperts, List<Integer> hidden, List<Integer> tower)
    implements Backbone {
  @Override
  public String name() {
    return "ple";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value own = null;
    Value shared = z;
    Value x = z;
    for (int level = 0; level + 1 < levels; level++) {
      String name = "backbone.cgc." + level;
      int scenarios = model.schema().scenarios();
      Value specific =
          own == null
              ? model.experts(name + ".specific", z, scenarios * specificExperts, hidden)
              : model.experts(name + ".specific", own, scenarios, specificExperts, hidden);
      Value common = model.experts(name + ".shared", shared, sharedExperts, hidden);
      if (level + 2 == levels) {
        Value read = own == null ? z : Ops.mixture(model.scenarioIndicator(), own);
        x = mixed(model, name, read, Ops.mixture(model.scenarioIndicator(), specific), common);
      } else {
        own = everyScenario(model, name, own == null ? z : own, own == null, specific, common);
      }
      int all = scenarios * specificExperts + sharedExperts;
      Value gate =
          model.linear(name + ".gate_shared.lin", ParameterGroup.NETWORK, shared, all, null);
      shared = Ops.mixture(Ops.softmax(gate), specific, common);
    }
    String name = "backbone.cgc." + (levels - 1);
    Value specific = model.scenarioExperts(name + ".specific", x, specificExperts, hidden);
    Value common = model.experts(name + ".shared", shared, sharedExperts, hidden);
    return model.towers("backbone.towers", mixed(model, name, x, specific, common), tower);
  }

  /**
   * The next {@code x_s} of each row's own scenario, from that one's experts and the shared ones.
   */
  private Value mixed(ModelBuilder model, String name, Value x, Value specific, Value common) {
    int experts = specificExperts + sharedExperts;
    Value gate = Ops.softmax(model.scenarioLinear(name + ".gates.*.lin", x, experts, null));
    return Ops.mixture(gate, specific, common);
  }

  /** The next {@code x_i} of every scenario, side by side. */
  private Value everyScenario(
      ModelBuilder model, String name, Value x, boolean alike, Value specific, Value common) {
    int scenarios = model.schema().scenarios();
    long experts = specificExperts + (long) sharedExperts;
    long in = x.type().dim(1).fixed() / (alike ? 1 : scenarios);
    ParameterGroup group = ParameterGroup.NETWORK;
    String gates = name + ".gates.*.lin";
    Value weight =
        model.parameter(gates + ".weight", group, Init.fanIn(in), scenarios, experts, in);
    Value bias = model.parameter(gates + ".bias", group, Init.zeros(), scenarios, experts);
    Value logits =
        alike
            ? Ops.linear(
                x,
                Ops.reshape(weight, Dim.of(scenarios * experts), Dim.of(in)),
                Ops.reshape(bias, Dim.of(scenarios * experts)),
                null)
            : Ops.blockLinear(x, weight, bias, null);
    long width = specificExperts * (long) hidden.getLast();
    Value[] parts = new Value[scenarios];
    for (int s = 0; s < scenarios; s++) {
      Value gate = Ops.softmax(Ops.slice(logits, s * experts, (s + 1) * experts));
      Value ownExperts = Ops.slice(specific, s * width, (s + 1) * width);
      parts[s] = Ops.mixture(gate, ownExperts, common);
    }
    return Ops.concat(parts);
  }
}
