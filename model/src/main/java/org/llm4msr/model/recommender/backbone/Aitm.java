package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;

/**
 * AITM (Xi et al., KDD 2021, arXiv 2105.08489), scenarios in place of a chain of conversions:
 * {@code f_i = MLP_i(z)}; for i = 1, 2, …: u = {@code [g_{i-1} f_{i-1}, f_i]}, {@code a =
 * softmax_u(<h2 u, h3 u> / sqrt(h))}, {@code f_i := sum_u a_u h1 u}; {@code y = tower_s(f_s)}.
 * Knowledge flows along the scenarios in their order, so that order is a choice to make.
 *
 * <p>The paper's calibrator ties conversion probabilities that imply each other; scenarios do not,
 * so there is none. A row has the label of its own scenario only, so it runs that one's tower only,
 * but every scenario's bottom, since knowledge flows through them. h1, h2 and h3 are the same for
 * all steps, where a public implementation has others for each.
 *
 * @param hidden widths of each scenario's bottom
 * @param tower widths of each tower before its logit
 */
public record Aitm(List<Integer> hidden, List<Integer> tower) implements Backbone {
  private static final ParameterGroup GROUP = ParameterGroup.NETWORK;

  @Override
  public String name() {
    return "aitm";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    int scenarios = model.schema().scenarios();
    long width = hidden.getLast();
    Value bottoms = model.experts("backbone.bottoms", z, scenarios, hidden);
    Value[] f = new Value[scenarios];
    for (int i = 0; i < scenarios; i++) {
      f[i] = Ops.slice(bottoms, i * width, (i + 1) * width);
      if (i > 0) {
        Value transferred = model.linear("backbone.g." + (i - 1), GROUP, f[i - 1], width, null);
        f[i] = attend(model, transferred, f[i]);
      }
    }
    Value own = Ops.mixture(model.scenarioIndicator(), Ops.concat(f));
    return model.towers("backbone.towers", own, tower);
  }

  private static Value attend(ModelBuilder model, Value first, Value second) {
    Value weights = Ops.softmax(Ops.concat(score(model, first), score(model, second)));
    Value values = Ops.concat(project(model, "h1", first), project(model, "h1", second));
    return Ops.mixture(weights, values);
  }

  private static Value score(ModelBuilder model, Value u) {
    Value product = Ops.mixture(project(model, "h2", u), project(model, "h3", u));
    return Ops.scale(product, 1 / Math.sqrt(u.type().dim(1).fixed()), 0);
  }

  private static Value project(ModelBuilder model, String name, Value u) {
    return model.linear("backbone." + name, GROUP, u, u.type().dim(1).fixed(), null);
  }
}
