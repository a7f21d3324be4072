package org.llm4msr.model.recommender.backbone;

import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.graph.Value;

/**
 * A recommender that exists already, anywhere: {@code y} is the logit that it gave to the row, and
 * the data set holds it. Nothing of it is trained; what LLM4MSR has to add comes from the scenario
 * level beside it. Alone it is the existing recommender, the baseline of a comparison.
 */
public record External() implements Backbone {
  @Override
  public String name() {
    return "external";
  }

  @Override
  public boolean readsFeatures() {
    return false;
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    if (model.externalLogit() == null) {
      throw new UserError(
          "the backbone external needs the logit of the existing recommender for every row; name"
              + " its column as interactions.logit in the description of the data set");
    }
    return model.externalLogit();
  }
}
