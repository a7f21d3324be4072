package org.llm4msr.model.recommender.backbone;

import java.util.List;
import org.llm4msr.model.recommender.ModelBuilder;
import org.llm4msr.model.recommender.ModelSchema;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.graph.Value;

/**
 * A recommender that exists already, anywhere, and joins by what it says of each row. With a logit
 * {@code y} is that logit and nothing is trained; what LLM4MSR has to add stands beside it. With a
 * representation r it is {@code y = MLP(z)} with {@code x = r} in the place of the embedded
 * features, so that both levels act on what the recommender knows. Alone it is the existing
 * recommender, the baseline of a comparison.
 *
 * @param head widths of the MLP before its logit
 */
public record External(List<Integer> head) implements Backbone {
  @Override
  public String name() {
    return "external";
  }

  @Override
  public boolean readsInput(ModelSchema schema) {
    return schema.representation() > 0;
  }

  @Override
  public Value input(ModelBuilder model, int dim, double deviation) {
    return model.representation() == null
        ? model.embeddings(dim, deviation)
        : model.representation();
  }

  @Override
  public Value logits(ModelBuilder model, Value z) {
    if (model.representation() != null) {
      Value h = model.mlp("backbone.head", z, head);
      return model.linear("backbone.out", ParameterGroup.NETWORK, h, 1, null);
    }
    if (model.externalLogit() == null) {
      throw new UserError(
          "the backbone external needs what the existing recommender says of every row; name the"
              + " column of its logit as interactions.logit, or those of its representation as"
              + " interactions.representation, in the description of the data set");
    }
    return model.externalLogit();
  }
}
