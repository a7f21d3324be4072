package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import org.llm4msr.model.data.Batch;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Folds;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.recommender.Evidence;
import org.llm4msr.model.recommender.MetaConfig;
import org.llm4msr.model.recommender.RecommenderConfig;

/** How many training rows each user and each item has in each scenario. Immutable. */
public final class EvidenceCounts {
  private final Dataset dataset;
  private final Folds folds;
  private final Counts users;
  private final Counts items;

  public EvidenceCounts(Dataset dataset) {
    this.dataset = dataset;
    folds = dataset.heldOut();
    int scenarios = dataset.scenarios().size();
    users = new Counts(dataset.users(), scenarios, folds.count());
    items = new Counts(dataset.items(), scenarios, folds.count());
    for (int row = 0; row < dataset.rows(); row++) {
      if (dataset.split(row) == Split.TRAIN) {
        int scenario = dataset.scenario(row);
        int fold = folds.of(dataset, row);
        users.add(dataset.user(row), scenario, fold);
        items.add(dataset.item(row), scenario, fold);
      }
    }
  }

  /** Training rows of owners in scenarios: of all folds, then of each. */
  private static final class Counts {
    private final int scenarios;
    private final int folds;
    private final int[] rows;

    private Counts(int owners, int scenarios, int folds) {
      this.scenarios = scenarios;
      this.folds = folds;
      rows = new int[Math.multiplyExact(Math.multiplyExact(owners, scenarios), folds + 1)];
    }

    private int at(int owner, int scenario, int fold) {
      return (owner * scenarios + scenario) * (folds + 1) + fold;
    }

    private void add(int owner, int scenario, int fold) {
      rows[at(owner, scenario, Folds.ALL_ROWS)]++;
      if (fold != Folds.ALL_ROWS) {
        rows[at(owner, scenario, fold)]++;
      }
    }

    private int all(int owner, int scenario) {
      return rows[at(owner, scenario, Folds.ALL_ROWS)];
    }

    /** Without those that a training row of a fold must not count. */
    private int others(int owner, int scenario, int fold) {
      int own = fold == Folds.ALL_ROWS ? 1 : rows[at(owner, scenario, fold)];
      return all(owner, scenario) - own;
    }
  }

  /** The counts if the model asks for them, else null. */
  public static EvidenceCounts forModel(RecommenderConfig config, Dataset dataset) {
    boolean asked = config.meta().fusion() == MetaConfig.Fusion.EVIDENCE;
    return asked ? new EvidenceCounts(dataset) : null;
  }

  /** Training rows of a user in a scenario. */
  public int user(int user, int scenario) {
    return users.all(user, scenario);
  }

  /** Training rows of an item in a scenario. */
  public int item(int item, int scenario) {
    return items.all(item, scenario);
  }

  /**
   * Writes the evidence of each row of a batch; a training row counts neither itself nor the fold
   * that its logit did not see.
   *
   * @param evidence float32 {@code [rows, Evidence.FEATURES]}
   */
  void fill(Batch batch, MemorySegment evidence) {
    MemorySegment rows = batch.rows();
    for (int b = 0; b < batch.size(); b++) {
      int row = rows.getAtIndex(JAVA_INT, b);
      long at = (long) b * Evidence.FEATURES;
      evidence.setAtIndex(JAVA_FLOAT, at, Evidence.feature(known(users, dataset.user(row), row)));
      evidence.setAtIndex(
          JAVA_FLOAT, at + 1, Evidence.feature(known(items, dataset.item(row), row)));
    }
  }

  private int known(Counts counts, int owner, int row) {
    int scenario = dataset.scenario(row);
    return dataset.split(row) == Split.TRAIN
        ? counts.others(owner, scenario, folds.of(dataset, row))
        : counts.all(owner, scenario);
  }
}
