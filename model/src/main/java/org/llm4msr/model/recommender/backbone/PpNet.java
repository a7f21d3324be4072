package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ModelSchema;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.op.UnaryOp;

/**
 * PPNet, the parameter level of PEPNet (Chang et al., KDD 2023, arXiv 2302.01115) alone: towers per
 * scenario, in the place of the paper's tasks, whose layers a personal prior scales: {@code h_{l+1}
 * = ReLU(W_{s,l} h_l + b_{s,l}) * delta_l}, {@code [delta_1; …] = GateNU_s([prior; sg(z)])}. The
 * prior is the user's and item's embeddings. No gradient passes through the gate's reading of z
 * (sg). A public implementation feeds the gate's input to the towers as well, and runs every tower
 * on every row.
 *
 * @param hidden widths of each tower before its logit
 * @param gate width inside the gate
 * @param prior names of the fields that are the prior; of {@link #DEFAULT_PRIOR} those that the
 *     data have, and all fields where they have none of them
 */
public record PpNet(List<Integer> hidden, int gate, List<String> prior) implements Backbone {
  /** The ids of user and item. */
  static final List<String> DEFAULT_PRIOR = List.of("user", "item");

  @Override
  public String name() {
    return "ppnet";
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    return towers(model, z, hidden, gate, prior);
  }

  /**
   * The scenarios' towers on z, with gates.
   *
   * @throws UserError if the data lack a field of a prior that is not the default
   */
  static Value towers(
      ModelBuilder model, Value z, List<Integer> hidden, int gate, List<String> prior) {
    Value input = Ops.concat(model.fields(known(model, prior)), Ops.stopGradient(z));
    long all = hidden.stream().mapToLong(Integer::longValue).sum();
    Value delta = new GateUnit("backbone.pp_gate", gate).ofScenario(model, input, all);
    Value h = z;
    long from = 0;
    for (int i = 0; i < hidden.size(); i++) {
      long width = hidden.get(i);
      h = model.scenarioLinear("backbone.towers.*.lin." + i, h, width, UnaryOp.Kind.RELU);
      h = Ops.mul(h, Ops.slice(delta, from, from + width));
      from += width;
    }
    return model.scenarioLinear("backbone.towers.*.out", h, 1, null);
  }

  private static List<String> known(ModelBuilder model, List<String> prior) {
    List<String> fields = model.schema().fields().stream().map(ModelSchema.Field::name).toList();
    List<String> lacking = prior.stream().filter(name -> !fields.contains(name)).toList();
    if (lacking.isEmpty()) {
      return prior;
    }
    if (prior.equals(DEFAULT_PRIOR)) {
      return fields.stream().anyMatch(prior::contains) ? prior : fields;
    }
    throw new UserError(
        "the option prior of a backbone: the data have no feature '%s'; there are %s"
            .formatted(String.join("', '", lacking), String.join(", ", fields)));
  }
}
