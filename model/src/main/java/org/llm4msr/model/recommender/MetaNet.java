package org.llm4msr.model.recommender;

import java.util.ArrayList;
import java.util.List;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * A network that turns knowledge vectors into the weights of small layers: {@code t = ReLU(T h +
 * t0)}; {@code W_k = reshape(A_k t + a_k, [d_k, d_k+1])}, {@code b_k = B_k t + c_k}. Without a
 * trunk t = h. {@link MetaConfig.Generators#CENTRED} has no ReLU, no t0 and no a_K, c_K.
 *
 * <p>It starts neutral: the last layer's generators are zero, so whatever the vectors are, the meta
 * layers put out 0 until training finds a use for them. The layers before start at a common random
 * matrix {@code a_k} that the vectors vary only a little.
 */
final class MetaNet {
  /**
   * How strongly vectors of length 1 move a trunk without bias at the start, and the trunk the
   * first layers, relative to the common matrix.
   */
  private static final double VARIATION = 0.1;

  private final List<Value> weights = new ArrayList<>();
  private final List<Value> biases = new ArrayList<>();

  /**
   * @param name prefix of the parameters
   * @param h knowledge vectors {@code [n, width]}
   * @param widths d_0 to d_K
   * @param rank width of the trunk, 0 for none
   * @param trunkBias whether the trunk is {@code ReLU(T h + t0)} rather than {@code T h}
   * @param lastBias whether the last layer has a part that all vectors share
   */
  MetaNet(
      ModelBuilder model,
      String name,
      Value h,
      List<Long> widths,
      int rank,
      boolean trunkBias,
      boolean lastBias) {
    long width = h.type().dim(1).fixed();
    Init start = trunkBias ? Init.fanIn(width) : new Init.Uniform(VARIATION);
    Init offset = trunkBias ? Init.zeros() : null;
    UnaryOp.Kind activation = trunkBias ? UnaryOp.Kind.RELU : null;
    Value t = rank == 0 ? h : linear(model, name + ".trunk", h, rank, start, offset, activation);
    Dim n = h.type().dim(0);
    for (int k = 0; k + 1 < widths.size(); k++) {
      long in = widths.get(k);
      long out = widths.get(k + 1);
      boolean last = k + 2 == widths.size();
      Init common = last ? Init.zeros() : Init.fanIn(in);
      Init varying = last ? Init.zeros() : new Init.Uniform(VARIATION / t.type().dim(1).fixed());
      boolean shared = !last || lastBias;
      Value flat =
          linear(model, name + ".w." + k, t, in * out, varying, shared ? common : null, null);
      weights.add(Ops.reshape(flat, n, Dim.of(in), Dim.of(out)));
      biases.add(
          linear(model, name + ".b." + k, t, out, varying, shared ? Init.zeros() : null, null));
    }
  }

  /** {@code act(x W^T + b)}; without b where {@code common} is null. */
  private static Value linear(
      ModelBuilder model,
      String name,
      Value x,
      long width,
      Init varying,
      Init common,
      UnaryOp.Kind activation) {
    ParameterGroup group = ParameterGroup.META;
    long in = x.type().dim(1).fixed();
    Value weight = model.parameter(name + ".weight", group, varying, width, in);
    Value bias = common == null ? null : model.parameter(name + ".bias", group, common, width);
    return Ops.linear(x, weight, bias, activation);
  }

  /** The generated weights and biases, the first axis is that of the vectors. */
  List<Value> layers() {
    List<Value> layers = new ArrayList<>(weights);
    layers.addAll(biases);
    return layers;
  }

  /** Applies the generated layers, ReLU between them. */
  Value apply(Value x, Ops.Grouping rows, boolean lastActivation) {
    Value h = x;
    for (int k = 0; k < weights.size(); k++) {
      boolean active = k + 1 < weights.size() || lastActivation;
      h =
          Ops.groupedLinear(
              h, weights.get(k), false, biases.get(k), rows, active ? UnaryOp.Kind.RELU : null);
    }
    return h;
  }
}
