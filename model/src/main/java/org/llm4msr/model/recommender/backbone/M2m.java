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
 * M2M (Zhang et al., WSDM 2022, arXiv 2201.06814): a meta unit turns scenario knowledge {@code k_s
 * = ReLU(K e_s + k_0)} into weights. Meta attention: {@code a_i = v^T ReLU(W_s E_i + b_s)}, {@code
 * r = sum_i softmax(a)_i E_i} over experts {@code E_i = MLP_i(z)}. Meta tower: {@code r := ReLU(W_s
 * r + b_s + r)} for each layer, then linear to the logit.
 *
 * <p>With one task the task's vector is part of the generated bias. Scenario knowledge is the
 * scenario's own vector, so there is one set of weights per scenario and not one per row. ReLU in
 * place of a leaky one. A public implementation runs a transformer along the batch, which makes
 * each prediction depend on the others; z needs none.
 *
 * @param experts how many
 * @param hidden widths of each expert
 * @param metaDim width of the scenario knowledge
 * @param metaLayers layers of the meta tower
 * @param scenarioDim width of the scenario's vector
 */
public record M2m(int experts, List<Integer> hidden, int metaDim, int metaLayers, int scenarioDim)
    implements Backbone {
  private static final ParameterGroup GROUP = ParameterGroup.NETWORK;

  /** How strongly scenarios differ at the start, relative to the common matrix. */
  private static final double VARIATION = 0.1;

  @Override
  public String name() {
    return "m2m";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    long width = hidden.getLast();
    Value e = model.experts("backbone.experts", z, experts, hidden);
    Value knowledge =
        model.linear(
            "backbone.scenario",
            GROUP,
            model.scenarioTable(scenarioDim),
            metaDim,
            UnaryOp.Kind.RELU);
    Value weight = weight(model, "backbone.attention", knowledge, width);
    Value bias = bias(model, "backbone.attention", knowledge, width);
    Value v = model.parameter("backbone.attention.v", GROUP, Init.fanIn(width), 1, width);
    Value[] scores = new Value[experts];
    for (int i = 0; i < experts; i++) {
      Value expert = Ops.slice(e, i * width, (i + 1) * width);
      Value h =
          Ops.groupedLinear(expert, weight, false, bias, model.byScenario(), UnaryOp.Kind.RELU);
      scores[i] = Ops.linear(h, v, null, null);
    }
    Value r = Ops.mixture(Ops.softmax(Ops.concat(scores)), e);
    for (int layer = 0; layer < metaLayers; layer++) {
      String name = "backbone.tower." + layer;
      Value h =
          Ops.groupedLinear(
              r,
              weight(model, name, knowledge, width),
              false,
              bias(model, name, knowledge, width),
              model.byScenario(),
              null);
      r = Ops.relu(Ops.add(h, r));
    }
    return model.linear("backbone.out", GROUP, r, 1, null);
  }

  /** {@code [scenarios, width, width]}. */
  private Value weight(ModelBuilder model, String name, Value knowledge, long width) {
    Init varying = new Init.Uniform(VARIATION / metaDim);
    Value a = model.parameter(name + ".w.weight", GROUP, varying, width * width, metaDim);
    Value common = model.parameter(name + ".w.bias", GROUP, Init.fanIn(width), width * width);
    Value flat = Ops.linear(knowledge, a, common, null);
    return Ops.reshape(flat, Dim.of(model.schema().scenarios()), Dim.of(width), Dim.of(width));
  }

  /** {@code [scenarios, width]}. */
  private Value bias(ModelBuilder model, String name, Value knowledge, long width) {
    return model.linear(name + ".b", GROUP, knowledge, width, null);
  }
}
