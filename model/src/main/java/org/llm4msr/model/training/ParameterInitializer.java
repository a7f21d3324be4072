package org.llm4msr.model.training;

import java.lang.foreign.MemorySegment;
import java.util.Spliterator;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.StableHash;
import org.llm4msr.model.recommender.Init;
import org.llm4msr.model.recommender.ModelBuilder.ModelParameter;
import org.llm4msr.model.recommender.ParameterGroup;
import org.llm4msr.model.recommender.RecommenderModel;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.graph.Graph;
import org.llm4msr.runtime.graph.Value;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * Gives a model's parameters their first values. Each draws from a generator of its own, seeded by
 * its name, so that a model with and one without meta networks start from the same backbone.
 */
public final class ParameterInitializer {
  private ParameterInitializer() {}

  /** The same numbers for the same seed and name on every machine. */
  static RandomGenerator generator(long seed, String name) {
    return RandomGeneratorFactory.of("L64X128MixRandom")
        .create(StableHash.combine(StableHash.of(name), seed));
  }

  /**
   * Creates the model's parameters: drawn for those that are trained and for statistics, the
   * knowledge vectors for the others.
   *
   * @param knowledge null for a model that reads none
   * @return which users have a knowledge vector; null where the model does not read their vectors
   * @throws org.llm4msr.runtime.UserError as {@link KnowledgeTables} says
   */
  public static KnowledgeTables.Coverage create(
      ParameterStore store,
      RecommenderModel model,
      long seed,
      Dataset dataset,
      KnowledgeTables knowledge) {
    KnowledgeTables.Coverage[] coverage = new KnowledgeTables.Coverage[1];
    for (ModelParameter parameter : model.inputs().parameters()) {
      Value value = parameter.value();
      Tensor tensor = store.create(value);
      if (parameter.group() != ParameterGroup.KNOWLEDGE) {
        HostAccess.write(
            store.backend(),
            tensor,
            host -> draw(parameter.init(), seed, value.name(), tensor, host));
      } else if (value.name().equals(RecommenderModel.USER_KNOWLEDGE)) {
        HostAccess.write(
            store.backend(), tensor, host -> coverage[0] = knowledge.fillUsers(dataset, host));
      } else {
        HostAccess.write(store.backend(), tensor, host -> knowledge.fillScenarios(dataset, host));
      }
    }
    return coverage[0];
  }

  /** Creates what else the graph keeps in the store, the optimiser's moments, as zeros. */
  static void createState(ParameterStore store, Graph graph) {
    for (Value value : graph.values()) {
      if (value.kind() == Value.Kind.PARAMETER && !store.contains(value.name())) {
        store.create(value);
      }
    }
  }

  private static void draw(Init init, long seed, String name, Tensor tensor, MemorySegment host) {
    DType dtype = tensor.dtype();
    long elements = tensor.shape().elements();
    Spliterator.OfDouble drawn = init.elements(generator(seed, name)).spliterator();
    long[] index = new long[1];
    while (index[0] < elements) {
      drawn.tryAdvance((double element) -> dtype.set(host, index[0]++, element));
    }
  }
}
