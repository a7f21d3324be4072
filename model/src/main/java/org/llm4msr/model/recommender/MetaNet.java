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
 * trunk t = h.
 *
 * <p>It starts neutral: the last layer's generators are zero, so whatever the vectors are, the meta
 * layers put out 0 until training finds a use for them. The layers before start at a common random
 * matrix {@code a_k} that the vectors vary only a little.
 */
final class MetaNet {
  /** How strongly the vectors move the first layers at the start, relative to the common matrix. */
  private static final double VARIATION = 0.1;

  private final List<Value> weights = new ArrayList<>();
  private final List<Value> biases = new ArrayList<>();

  /**
   * @param name prefix of the parameters
   * @param h knowledge vectors {@code [n, width]}
   * @param widths d_0 to d_K
   * @param rank width of the trunk, 0 for none
   */
  MetaNet(ModelBuilder model, String name, Value h, List<Long> widths, int rank) {
    Value t =
        rank == 0
            ? h
            : model.linear(name + ".trunk", ParameterGroup.META, h, rank, UnaryOp.Kind.RELU);
    Dim n = h.type().dim(0);
    for (int k = 0; k + 1 < widths.size(); k++) {
      long in = widths.get(k);
      long out = widths.get(k + 1);
      boolean last = k + 2 == widths.size();
      Init common = last ? Init.zeros() : Init.fanIn(in);
      Value flat = generator(model, name + ".w." + k, t, in * out, last, common);
      weights.add(Ops.reshape(flat, n, Dim.of(in), Dim.of(out)));
      biases.add(generator(model, name + ".b." + k, t, out, last, Init.zeros()));
    }
  }

  private static Value generator(
      ModelBuilder model, String name, Value t, long width, boolean last, Init common) {
    long in = t.type().dim(1).fixed();
    Init varying = last ? Init.zeros() : new Init.Uniform(VARIATION / in);
    ParameterGroup group = ParameterGroup.META;
    Value weight = model.parameter(name + ".weight", group, varying, width, in);
    Value bias = model.parameter(name + ".bias", group, common, width);
    return Ops.linear(t, weight, bias, null);
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
