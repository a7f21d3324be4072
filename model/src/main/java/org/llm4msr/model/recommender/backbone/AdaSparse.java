package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * AdaSparse (Yang et al., CIKM 2022, arXiv 2206.13108): a pruner weighs the inputs of every layer
 * by scenario, {@code h := ReLU(W (pi * h) + b)}, {@code pi = S(beta sigmoid(alpha P [e_s; h]))},
 * the paper's fusion of binarising and scaling.
 *
 * <p>S is the soft threshold {@code max(x - epsilon, 0)}: continuous, where public implementations
 * cut hard at epsilon. alpha does not grow during training, so that a run that goes on after an
 * interruption is the same run. The paper's sparsity term in the loss is left out: its aim is fewer
 * neurons, which dense products do not reward.
 *
 * @param hidden widths before the logit
 * @param alpha steepness
 * @param beta largest weight of a neuron
 * @param epsilon neurons below it are pruned
 * @param scenarioDim width of the scenario's vector
 */
public record AdaSparse(
    List<Integer> hidden, double alpha, double beta, double epsilon, int scenarioDim)
    implements Backbone {
  private static final ParameterGroup GROUP = ParameterGroup.NETWORK;

  @Override
  public String name() {
    return "adasparse";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value scenario = model.scenarioEmbedding(scenarioDim);
    Value h = Ops.concat(scenario, pruned(model, 0, scenario, z));
    for (int i = 0; i < hidden.size(); i++) {
      h = model.linear("backbone.lin." + i, GROUP, h, hidden.get(i), UnaryOp.Kind.RELU);
      h = pruned(model, i + 1, scenario, h);
    }
    return model.linear("backbone.out", GROUP, h, 1, null);
  }

  private Value pruned(ModelBuilder model, int layer, Value scenario, Value h) {
    long width = h.type().dim(1).fixed();
    Value input = Ops.concat(scenario, h);
    Value p = model.linear("backbone.pruner." + layer, GROUP, input, width, null);
    Value weight = Ops.scale(Ops.sigmoid(Ops.scale(p, alpha, 0)), beta, -epsilon);
    return Ops.mul(Ops.relu(weight), h);
  }
}
