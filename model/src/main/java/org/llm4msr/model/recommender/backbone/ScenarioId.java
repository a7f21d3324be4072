package org.llm4msr.model.recommender.backbone;

import org.llm4msr.model.recommender.Init;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ModelSchema;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.graph.Ops;
import org.llm4msr.runtime.graph.Value;

/**
 * A backbone that also reads which scenario a row belongs to: {@code backbone([z; E_s])}. The
 * cheapest way to tell scenarios apart, and so a control for what dearer ways add.
 *
 * @param dim width of E_s
 */
public record ScenarioId(Backbone backbone, int dim) implements Backbone {
  private static final double DEVIATION = 0.05;

  @Override
  public String name() {
    return backbone.name();
  }

  @Override
  public boolean readsInput(ModelSchema schema) {
    return backbone.readsInput(schema);
  }

  @Override
  public Value input(ModelBuilder model, int embeddingDim, double deviation) {
    return backbone.input(model, embeddingDim, deviation);
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    if (!readsInput(model.schema())) {
      return backbone.logits(model, z);
    }
    Value table =
        model.parameter(
            "scenario_id.weight",
            ParameterGroup.EMBEDDING,
            new Init.Normal(DEVIATION),
            model.schema().scenarios(),
            dim);
    return backbone.logits(model, Ops.concat(z, Ops.gather(table, model.scenarioIds())));
  }
}
