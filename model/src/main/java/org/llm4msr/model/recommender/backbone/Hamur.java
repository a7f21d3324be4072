package org.llm4msr.model.recommender.backbone;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.model.recommender.Init;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * HAMUR (Li et al., CIKM 2023, arXiv 2309.06217): scenario adapters in a shared network. Behind
 * each hidden layer, {@code h := h + gamma_s * norm(A'(sigmoid(A(h)))) + beta_s}, where A and A'
 * are linear with weights of low rank, {@code U_s H V_s}: U_s and V_s belong to the scenario, and a
 * hyper-network that all share makes {@code H = reshape(MLP(z))} {@code [k, k]} for the row.
 *
 * <p>Only the product {@code ((h U_s) H) V_s} is ever computed, never a row's own matrix. The norm
 * is over the row's own neurons. A public implementation builds {@code U H V} for every row of the
 * batch and every scenario, and normalises with batch statistics where the paper's norm is per row.
 *
 * @param hidden widths before the logit
 * @param hyper widths of the hyper-network before its output
 * @param rank k
 * @param adapter width inside each adapter
 */
public record Hamur(List<Integer> hidden, List<Integer> hyper, int rank, int adapter)
    implements Backbone {
  private static final ParameterGroup GROUP = ParameterGroup.NETWORK;
  private static final double EPSILON = 1e-5;

  @Override
  public String name() {
    return "hamur";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    Value inner = model.mlp("backbone.hyper", z, hyper);
    Value core = model.linear("backbone.hyper.out", GROUP, inner, (long) rank * rank, null);
    Value h = z;
    for (int i = 0; i < hidden.size(); i++) {
      h = model.linear("backbone.lin." + i, GROUP, h, hidden.get(i), UnaryOp.Kind.RELU);
      h = Ops.add(h, adapted(model, "backbone.adapter." + i, h, core));
    }
    return model.linear("backbone.out", GROUP, h, 1, null);
  }

  private Value adapted(ModelBuilder model, String name, Value h, Value core) {
    long width = h.type().dim(1).fixed();
    Value down = Ops.sigmoid(lowRank(model, name + ".down", h, core, adapter));
    Value up = norm(model, lowRank(model, name + ".up", down, core, width));
    Value gamma = model.ofScenario(name + ".gamma", ParameterGroup.FACTOR, Init.ones(), width);
    Value beta = model.ofScenario(name + ".beta", GROUP, Init.zeros(), width);
    return Ops.add(Ops.mul(gamma, up), beta);
  }

  private Value lowRank(ModelBuilder model, String name, Value h, Value core, long width) {
    long in = h.type().dim(1).fixed();
    long scenarios = model.schema().scenarios();
    Value u = model.parameter(name + ".u", GROUP, Init.fanIn(in), scenarios, in, rank);
    Value narrow = Ops.groupedLinear(h, u, false, null, model.byScenario(), null);
    return model.scenarioLinear(name + ".*.v", Ops.mixture(narrow, core), width, null);
  }

  /** (x - mean) / standard deviation over each row. */
  private static Value norm(ModelBuilder model, Value x) {
    int width = Math.toIntExact(x.type().dim(1).fixed());
    double[] share = new double[width];
    Arrays.fill(share, 1.0 / width);
    double[] ones = new double[width];
    Arrays.fill(ones, 1);
    Value mean = Ops.matmul(x, model.graph().constant(share, width, 1));
    return Ops.rmsNorm(Ops.sub(x, mean), model.graph().constant(ones, width), EPSILON);
  }
}
