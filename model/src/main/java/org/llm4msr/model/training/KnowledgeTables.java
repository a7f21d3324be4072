package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
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
    int missing = 0;
    for (int profile = 0; profile < profiles; profile++) {
      String id = PromptIds.user(dataset, folds, profile);
      if (vectors.read(id, vector)) {
        write(id, vector, table, profile);
      } else {
        missing++;
      }
    }
    if (missing == profiles) {
      throw new UserError(
          "knowledge: no vector belongs to a user of "
              + dataset.name()
              + " (expected ids such as '"
              + PromptIds.user(dataset, folds, 0)
              + "'); encode the prompts that 'llm4msr prompts' writes for this data");
    }
    return missing;
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
  }

  private void write(String id, float[] vector, MemorySegment table, int row) {
    double squares = 0;
    for (float element : vector) {
      squares += (double) element * element;
    }
    if (!Double.isFinite(squares)) {
      throw new UserError("knowledge: the vector '" + id + "' is not finite; encode it again");
    }
    double length =
        switch (normalization) {
          case NONE -> 1;
          case L2 -> Math.sqrt(squares);
          case RMS -> Math.sqrt(squares / vector.length);
        };
    // A zero vector has no direction and stays zero.
    double scale = squares == 0 ? 0 : 1 / length;
    long at = (long) row * vector.length;
    for (int i = 0; i < vector.length; i++) {
      table.setAtIndex(JAVA_FLOAT, at + i, (float) (vector[i] * scale));
    }
  }
}
