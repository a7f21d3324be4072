package org.llm4msr.model.training;

import java.util.random.RandomGenerator;
import org.llm4msr.model.prompt.PromptIds;

/**
 * The control for a claim about knowledge: the same ids, shapes and lengths as the real vectors,
 * but in random directions, one for each user whatever the fold. What they gain is due to the added
 * parameters, not to knowledge.
 */
public final class RandomVectors implements KnowledgeVectors {
  private final KnowledgeVectors real;
  private final long seed;

  public RandomVectors(KnowledgeVectors real, long seed) {
    this.real = real;
    this.seed = seed;
  }

  @Override
  public int width() {
    return real.width();
  }

  @Override
  public boolean read(String id, float[] vector) {
    if (!real.read(id, vector)) {
      return false;
    }
    double length = norm(vector);
    RandomGenerator random = ParameterInitializer.generator(seed, PromptIds.withoutFold(id));
    for (int i = 0; i < vector.length; i++) {
      vector[i] = (float) random.nextGaussian();
    }
    double scale = length / norm(vector);
    for (int i = 0; i < vector.length; i++) {
      vector[i] = (float) (vector[i] * scale);
    }
    return true;
  }

  private static double norm(float[] vector) {
    double squares = 0;
    for (float element : vector) {
      squares += (double) element * element;
    }
    return Math.sqrt(squares);
  }
}
