package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.Init;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.GroupedBatchNormOp;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * STAR (Sheng et al., CIKM 2021, arXiv 2101.11427): every layer's weights are the elementwise
 * product of shared ones and the scenario's own, the biases their sum: {@code z = act(z (W * W_s) +
 * b + b_s)}. The paper's form adds partitioned normalisation of the input and an auxiliary network
 * that sees the scenario.
 *
 * <p>The factors {@code W_s} start at 1, so that every scenario starts at the shared network. A
 * public implementation draws them at random, takes the partitioned normalisation's statistics over
 * the mixed batch, in evaluation too, so that a row's prediction depends on the others, and runs
 * every scenario's network on every row. Here statistics are the scenario's own, in evaluation the
 * running ones; a scenario with a single row in a batch uses these while training too, since one
 * row has no variance.
 *
 * @param hidden widths before the logit
 * @param partitionedNormalization whether the input is normalised per scenario
 * @param auxiliary widths of the auxiliary network; empty for none
 * @param scenarioDim width of the auxiliary network's scenario embedding
 */
public record Star(
    List<Integer> hidden,
    boolean partitionedNormalization,
    List<Integer> auxiliary,
    int scenarioDim)
    implements Backbone {
  private static final double EPSILON = 1e-6;
  private static final double MOMENTUM = 0.1;

  @Override
  public String name() {
    return "star";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value h = partitionedNormalization ? normalized(model, z) : z;
    for (int layer = 0; layer <= hidden.size(); layer++) {
      boolean last = layer == hidden.size();
      h = layer(model, h, layer, last ? 1 : hidden.get(layer), last ? null : UnaryOp.Kind.RELU);
    }
    return auxiliary.isEmpty() ? h : Ops.add(h, auxiliaryLogit(model, z));
  }

  private static Value layer(
      ModelBuilder model, Value z, int layer, long width, UnaryOp.Kind activation) {
    long in = z.type().dim(1).fixed();
    long scenarios = model.schema().scenarios();
    String shared = "backbone.shared_";
    String own = "backbone.spec_";
    Value weight =
        Ops.mul(
            model.parameter(
                shared + "w." + layer, ParameterGroup.NETWORK, Init.fanIn(in), in, width),
            model.parameter(
                own + "w.*." + layer, ParameterGroup.FACTOR, Init.ones(), scenarios, in, width));
    Value bias =
        Ops.add(
            model.parameter(shared + "b." + layer, ParameterGroup.NETWORK, Init.zeros(), width),
            model.parameter(
                own + "b.*." + layer, ParameterGroup.NETWORK, Init.zeros(), scenarios, width));
    Value h = Ops.groupedLinear(z, weight, false, bias, model.byScenario(), activation);
    return activation == null ? h : model.dropped(h);
  }

  private static Value normalized(ModelBuilder model, Value z) {
    long width = z.type().dim(1).fixed();
    long scenarios = model.schema().scenarios();
    ParameterGroup factor = ParameterGroup.FACTOR;
    ParameterGroup statistic = ParameterGroup.STATISTIC;
    Value scale =
        Ops.mul(
            model.parameter("backbone.gamma", factor, Init.ones(), width),
            model.parameter("backbone.spec_gamma.*", factor, Init.ones(), scenarios, width));
    Value shift =
        Ops.add(
            model.parameter("backbone.beta", factor, Init.zeros(), width),
            model.parameter("backbone.spec_beta.*", factor, Init.zeros(), scenarios, width));
    Value mean = model.parameter("backbone.run_mean", statistic, Init.zeros(), scenarios, width);
    Value variance = model.parameter("backbone.run_var", statistic, Init.ones(), scenarios, width);
    return model
        .graph()
        .apply(
            new GroupedBatchNormOp(EPSILON, MOMENTUM, model.isTraining()),
            z,
            model.byScenario().order(),
            model.byScenario().offsets(),
            scale,
            shift,
            mean,
            variance)
        .get(0);
  }

  private Value auxiliaryLogit(ModelBuilder model, Value z) {
    Value input = Ops.concat(model.scenarioEmbedding(scenarioDim), z);
    Value h = model.mlp("backbone.aux", input, auxiliary);
    return model.linear("backbone.aux.out", ParameterGroup.NETWORK, h, 1, null);
  }
}
