package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.prompt.PromptIds;
import org.llm4msr.model.recommender.MetaConfig.Normalization;
import org.llm4msr.runtime.UserError;

/**
 * Knowledge vectors in the order in which a data set numbers its profiles and scenarios.
 *
 * @param vectors where they come from
 * @param folds which vectors training rows use
 */
public record KnowledgeTables(KnowledgeVectors vectors, Folds folds, Normalization normalization) {
  /**
   * Fills the table of the users' vectors. A profile without a vector keeps zeros, which the meta
   * networks turn into weights that all such users share.
   *
   * @param table float32 {@code [profiles, width]}
   * @return profiles without a vector
   * @throws UserError if none has a vector, or a vector is not finite
   */
  int fillUsers(Dataset dataset, MemorySegment table) {
    int profiles = folds.profiles(dataset);
    float[] vector = new float[vectors.width()];
    BitSet present = new BitSet(profiles);
    for (int profile = 0; profile < profiles; profile++) {
      String id = PromptIds.user(dataset, folds, profile);
      if (vectors.read(id, vector)) {
        write(id, vector, table, profile);
        present.set(profile);
      }
    }
    if (present.isEmpty()) {
      throw new UserError(
          "knowledge: no vector belongs to a user of "
              + dataset.name()
              + " (expected ids such as '"
              + PromptIds.user(dataset, folds, 0)
              + "'); encode the prompts that 'llm4msr prompts' writes for this data");
    }
    VectorScaling.apply(normalization, table, vectors.width(), present);
    return profiles - present.cardinality();
  }

  /** How {@link #fillUsers} scales the users' vectors, for later ones. */
  public VectorScaling userScaling(Dataset dataset) {
    return VectorScaling.fit(
        normalization,
        vectors.width(),
        folds.profiles(dataset),
        (profile, vector) -> vectors.read(PromptIds.user(dataset, folds, profile), vector));
  }

  /**
   * Fills the table of the scenarios' vectors.
   *
   * @param table float32 {@code [scenarios, width]}
   * @throws UserError if a scenario has none, or a vector is not finite
   */
  void fillScenarios(Dataset dataset, MemorySegment table) {
    float[] vector = new float[vectors.width()];
    for (int scenario = 0; scenario < dataset.scenarios().size(); scenario++) {
      String id = PromptIds.scenario(dataset.scenarios().get(scenario));
      if (!vectors.read(id, vector)) {
        throw new UserError(
            "knowledge: no vector '"
                + id
                + "', but every scenario of "
                + dataset.name()
                + " needs one; encode its prompt too, or use --meta user");
      }
      write(id, vector, table, scenario);
    }
    BitSet all = new BitSet();
    all.set(0, dataset.scenarios().size());
    VectorScaling.apply(normalization, table, vectors.width(), all);
  }

  private static void write(String id, float[] vector, MemorySegment table, int row) {
    for (float element : vector) {
      if (!Float.isFinite(element)) {
        throw new UserError("knowledge: the vector '" + id + "' is not finite; encode it again");
      }
    }
    long offset = (long) row * vector.length * Float.BYTES;
    MemorySegment.copy(vector, 0, table, JAVA_FLOAT, offset, vector.length);
  }
}
