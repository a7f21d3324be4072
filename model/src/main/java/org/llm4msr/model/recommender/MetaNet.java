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

  /**
   * The generators of one layer, as parameters.
   *
   * @param weight A_k {@code [in out, rank]}
   * @param common a_k {@code [in out]}, or null
   * @param biasWeight B_k {@code [out, rank]}
   * @param biasCommon c_k {@code [out]}, or null
   */
  private record Layer(
      long in, long out, Value weight, Value common, Value biasWeight, Value biasCommon) {}

  /**
   * Up to how many rows of a batch that share a vector their layers are better not formed: each row
   * then costs as much as forming a layer.
   */
  private static final double FEW_ROWS = 1.5;

  private final List<Layer> layers = new ArrayList<>();
  private final Value t;

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
    t = rank == 0 ? h : trunk(model, name + ".trunk", h, rank, start, offset, activation);
    for (int k = 0; k + 1 < widths.size(); k++) {
      long in = widths.get(k);
      long out = widths.get(k + 1);
      boolean last = k + 2 == widths.size();
      Init common = last && !lastBias ? null : last ? Init.zeros() : Init.fanIn(in);
      Init varying = last ? Init.zeros() : new Init.Uniform(VARIATION / t.type().dim(1).fixed());
      String weight = name + ".w." + k;
      String bias = name + ".b." + k;
      layers.add(
          new Layer(
              in,
              out,
              weight(model, weight, t, in * out, varying),
              bias(model, weight, in * out, common),
              weight(model, bias, t, out, varying),
              bias(model, bias, out, common == null ? null : Init.zeros())));
    }
  }

  /**
   * Whether {@link #applyByRow} takes less time than {@link #apply}.
   *
   * @param rowsPerVector rows that share a vector, on average
   */
  static boolean isCheaperByRow(List<Long> widths, int rank, double rowsPerVector) {
    long formed = 0;
    long byRow = 0;
    for (int k = 0; k + 1 < widths.size(); k++) {
      formed += widths.get(k) * widths.get(k + 1);
      byRow += rank * Math.min(widths.get(k), widths.get(k + 1));
    }
    return rank > 0 && byRow < formed && rowsPerVector <= FEW_ROWS;
  }

  private static Value trunk(
      ModelBuilder model,
      String name,
      Value h,
      long width,
      Init start,
      Init offset,
      UnaryOp.Kind activation) {
    Value weight = weight(model, name, h, width, start);
    return Ops.linear(h, weight, bias(model, name, width, offset), activation);
  }

  private static Value weight(ModelBuilder model, String name, Value x, long width, Init init) {
    long in = x.type().dim(1).fixed();
    return model.parameter(name + ".weight", ParameterGroup.META, init, width, in);
  }

  private static Value bias(ModelBuilder model, String name, long width, Init init) {
    return init == null ? null : model.parameter(name + ".bias", ParameterGroup.META, init, width);
  }

  /**
   * The generated weights {@code [n, in, out]} of all layers, then their biases {@code [n, out]}.
   */
  List<Value> layers() {
    Dim n = t.type().dim(0);
    List<Value> generated = new ArrayList<>();
    for (Layer layer : layers) {
      Value flat = Ops.linear(t, layer.weight, layer.common, null);
      generated.add(Ops.reshape(flat, n, Dim.of(layer.in), Dim.of(layer.out)));
    }
    for (Layer layer : layers) {
      generated.add(Ops.linear(t, layer.biasWeight, layer.biasCommon, null));
    }
    return generated;
  }

  /** Applies generated layers, ReLU between them. */
  static Value apply(List<Value> generated, Value x, Ops.Grouping rows, boolean lastActivation) {
    Value h = x;
    int count = generated.size() / 2;
    for (int k = 0; k < count; k++) {
      UnaryOp.Kind activation = k + 1 < count || lastActivation ? UnaryOp.Kind.RELU : null;
      Value bias = generated.get(count + k);
      h = Ops.groupedLinear(h, generated.get(k), false, bias, rows, activation);
    }
    return h;
  }

  /**
   * What {@link #apply} makes of x by {@link #layers} without forming these, if row r of h is the
   * vector of row r of x.
   */
  Value applyByRow(Value x, boolean lastActivation) {
    Value h = x;
    for (int k = 0; k < layers.size(); k++) {
      boolean active = k + 1 < layers.size() || lastActivation;
      h = applyByRow(layers.get(k), h, active ? UnaryOp.Kind.RELU : null);
    }
    return h;
  }

  /**
   * {@code act(x W + b)}, where {@code (x W)_o = sum_ir x_i t_r A_ior + (x a)_o}: a dense product
   * of x with A and then each row's sum over r, or one product of all x_i t_r with A. Either way
   * what lies between has rank times the narrower width, where W has the product of both.
   */
  private Value applyByRow(Layer layer, Value x, UnaryOp.Kind activation) {
    Dim in = Dim.of(layer.in);
    Dim out = Dim.of(layer.out);
    long rank = t.type().dim(1).fixed();
    boolean widens = layer.out > layer.in;
    Value sum;
    if (widens) {
      sum = Ops.linear(t, layer.biasWeight, layer.biasCommon, null);
    } else {
      Value a = Ops.reshape(layer.weight, in, Dim.of(layer.out * rank));
      Value varying = Ops.matVec(Ops.matmul(x, a), t);
      UnaryOp.Kind last = layer.common == null ? activation : null;
      sum = Ops.linear(t, layer.biasWeight, layer.biasCommon, varying, last);
    }
    if (layer.common != null) {
      Value common = Ops.reshape(layer.common, in, out);
      sum = Ops.matmul(x, common, sum, widens ? null : activation);
    }
    if (widens) {
      Value a = Ops.transpose(Ops.reshape(layer.weight, in, out, Dim.of(rank)));
      Value flat = Ops.reshape(a, Dim.of(layer.in * rank), out);
      sum = Ops.matmul(Ops.outerProduct(x, t), flat, sum, activation);
    }
    return sum;
  }
}
