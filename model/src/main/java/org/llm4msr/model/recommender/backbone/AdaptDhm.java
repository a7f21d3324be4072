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
 * AdaptDHM (Li et al. 2022, arXiv 2211.12105): distributions in the place of given domains. A row
 * {@code x = [e_s; z]} belongs to K clusters by {@code c = softmax(x M^T / sqrt(d))}; every cluster
 * has a network whose layers are {@code z = act(z (W * W_k) + b + b_k)}, shared weights times its
 * own; {@code y = sum_k c_k y_k}.
 *
 * <p>The centres M are learned with everything else and the clusters' logits are mixed. Public
 * implementations route each row to its nearest centre, which no gradient reaches, and move the
 * centres by a running mean over the batch; a row then depends on its batch while training. The
 * scenario's vector is part of x, so that scenarios can be told apart at all.
 *
 * @param hidden widths before the logit
 * @param clusters K
 * @param scenarioDim width of the scenario's vector
 */
public record AdaptDhm(List<Integer> hidden, int clusters, int scenarioDim) implements Backbone {
  @Override
  public String name() {
    return "adaptdhm";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value x = Ops.concat(model.scenarioEmbedding(scenarioDim), z);
    long width = x.type().dim(1).fixed();
    Init start = Init.fanIn(1);
    Value centres =
        model.parameter("backbone.centres", ParameterGroup.NETWORK, start, clusters, width);
    Value likeness = Ops.linear(x, centres, null, null);
    Value membership = Ops.softmax(Ops.scale(likeness, 1 / Math.sqrt(width), 0));
    Value h = x;
    for (int i = 0; i <= hidden.size(); i++) {
      boolean last = i == hidden.size();
      h = layer(model, i, h, last ? 1 : hidden.get(i), last ? null : UnaryOp.Kind.RELU);
      h = last ? h : model.dropped(h);
    }
    return Ops.mixture(membership, h);
  }

  /** All clusters side by side; the first layer, whose input they share, is one product. */
  private Value layer(ModelBuilder model, int i, Value h, long out, UnaryOp.Kind activation) {
    long in = h.type().dim(1).fixed() / (i == 0 ? 1 : clusters);
    ParameterGroup group = ParameterGroup.NETWORK;
    String shared = "backbone.shared_";
    String own = "backbone.spec_";
    Value weight =
        Ops.mul(
            model.parameter(shared + "w." + i, group, Init.fanIn(in), out, in),
            model.parameter(
                own + "w.*." + i, ParameterGroup.FACTOR, Init.ones(), clusters, out, in));
    Value bias =
        Ops.add(
            model.parameter(shared + "b." + i, group, Init.zeros(), out),
            model.parameter(own + "b.*." + i, group, Init.zeros(), clusters, out));
    if (i > 0) {
      return Ops.blockLinear(h, weight, bias, activation);
    }
    return Ops.linear(
        h,
        Ops.reshape(weight, Dim.of(clusters * out), Dim.of(in)),
        Ops.reshape(bias, Dim.of(clusters * out)),
        activation);
  }
}
