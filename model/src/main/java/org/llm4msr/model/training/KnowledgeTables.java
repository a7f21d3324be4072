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
   * Which users have vectors.
   *
   * @param users of the data set
   * @param without users for whom there is none
   * @param partly users for whom some are there, and those of some folds are not
   */
  public record Coverage(int users, int without, int partly) {}

  /** Takes the vector of a profile or scenario. */
  private interface Sink {
    void take(int row, float[] vector);
  }

  /**
   * Refuses what {@link #fillUsers} and {@link #fillScenarios} refuse.
   *
   * @param users whether the users' vectors are read
   * @param scenarios whether the scenarios' are
   * @throws UserError if no user, or not every scenario, has a vector, or one is not finite
   */
  void check(Dataset dataset, boolean users, boolean scenarios) {
    Sink none = (row, vector) -> {};
    if (users) {
      readUsers(dataset, none);
    }
    if (scenarios) {
      readScenarios(dataset, none);
    }
  }

  /**
   * Fills the table of the users' vectors. A profile without a vector keeps zeros, which the meta
   * networks turn into weights that all such users share.
   *
   * @param table float32 {@code [profiles, width]}
   * @throws UserError if none has a vector, or a vector is not finite
   */
  Coverage fillUsers(Dataset dataset, MemorySegment table) {
    BitSet present = readUsers(dataset, (row, vector) -> write(vector, table, row));
    VectorScaling.apply(normalization, table, vectors.width(), present);
    return coverage(dataset, present);
  }

  private BitSet readUsers(Dataset dataset, Sink sink) {
    int profiles = folds.profiles(dataset);
    float[] vector = new float[vectors.width()];
    BitSet present = new BitSet(profiles);
    for (int profile = 0; profile < profiles; profile++) {
      String id = PromptIds.user(dataset, folds, profile);
      if (vectors.read(id, vector)) {
        requireFinite(id, vector);
        sink.take(profile, vector);
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
    return present;
  }

  private Coverage coverage(Dataset dataset, BitSet present) {
    int each = folds.count() + 1;
    int without = 0;
    int partly = 0;
    for (int user = 0; user < dataset.users(); user++) {
      int first = folds.profile(user, Folds.ALL_ROWS);
      int found = present.get(first, first + each).cardinality();
      without += found == 0 ? 1 : 0;
      partly += found > 0 && found < each ? 1 : 0;
    }
    return new Coverage(dataset.users(), without, partly);
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
    readScenarios(dataset, (row, vector) -> write(vector, table, row));
    BitSet all = new BitSet();
    all.set(0, dataset.scenarios().size());
    VectorScaling.apply(normalization, table, vectors.width(), all);
  }

  private void readScenarios(Dataset dataset, Sink sink) {
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
      requireFinite(id, vector);
      sink.take(scenario, vector);
    }
  }

  private static void requireFinite(String id, float[] vector) {
    for (float element : vector) {
      if (!Float.isFinite(element)) {
        throw new UserError("knowledge: the vector '" + id + "' is not finite; encode it again");
      }
    }
  }

  private static void write(float[] vector, MemorySegment table, int row) {
    long offset = (long) row * vector.length * Float.BYTES;
    MemorySegment.copy(vector, 0, table, JAVA_FLOAT, offset, vector.length);
  }
}
