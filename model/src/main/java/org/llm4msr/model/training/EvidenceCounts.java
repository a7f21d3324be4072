package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import org.llm4msr.model.data.Batch;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.Evidence;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.RecommenderConfig;

/** How many training rows each user and each item has in each scenario. Immutable. */
public final class EvidenceCounts {
  private final Dataset dataset;
  private final int scenarios;
  private final int[] users;
  private final int[] items;

  public EvidenceCounts(Dataset dataset) {
    this.dataset = dataset;
    scenarios = dataset.scenarios().size();
    users = new int[Math.multiplyExact(dataset.users(), scenarios)];
    items = new int[Math.multiplyExact(dataset.items(), scenarios)];
    for (int row = 0; row < dataset.rows(); row++) {
      if (dataset.split(row) == Split.TRAIN) {
        users[dataset.user(row) * scenarios + dataset.scenario(row)]++;
        items[dataset.item(row) * scenarios + dataset.scenario(row)]++;
      }
    }
  }

  /** The counts if the model asks for them, else null. */
  public static EvidenceCounts forModel(RecommenderConfig config, Dataset dataset) {
    boolean asked = config.meta().fusion() == MetaConfig.Fusion.EVIDENCE;
    return asked ? new EvidenceCounts(dataset) : null;
  }

  /** Training rows of a user in a scenario. */
  public int user(int user, int scenario) {
    return users[user * scenarios + scenario];
  }

  /** Training rows of an item in a scenario. */
  public int item(int item, int scenario) {
    return items[item * scenarios + scenario];
  }

  /**
   * Writes the evidence of each row of a batch; a training row does not count itself.
   *
   * @param evidence float32 {@code [rows, Evidence.FEATURES]}
   */
  void fill(Batch batch, MemorySegment evidence) {
    MemorySegment rows = batch.rows();
    for (int b = 0; b < batch.size(); b++) {
      int row = rows.getAtIndex(JAVA_INT, b);
      int scenario = dataset.scenario(row);
      boolean counted = dataset.split(row) == Split.TRAIN;
      long at = (long) b * Evidence.FEATURES;
      evidence.setAtIndex(
          JAVA_FLOAT, at, Evidence.feature(user(dataset.user(row), scenario), counted));
      evidence.setAtIndex(
          JAVA_FLOAT, at + 1, Evidence.feature(item(dataset.item(row), scenario), counted));
    }
  }
}
