package org.llm4msr.model.data;

/** How rows are divided into training, validation and test when the log does not say. */
public sealed interface SplitRule {

  /**
   * The parts' sizes; 8, 1, 1 means 80 %, 10 %, 10 %.
   *
   * @param train above 0
   * @param valid at least 0
   * @param test at least 0
   */
  record Ratios(double train, double valid, double test) {
    public Ratios {
      if (!(train > 0 && valid >= 0 && test >= 0 && Double.isFinite(train + valid + test))) {
        throw new IllegalArgumentException(
            "split ratios must be at least 0, and that of train above 0, but are train "
                + train
                + ", valid "
                + valid
                + ", test "
                + test);
      }
    }

    /** The part in which a position in [0, 1) falls. */
    Split at(double position) {
      double scaled = position * (train + valid + test);
      return scaled < train ? Split.TRAIN : scaled < train + valid ? Split.VALID : Split.TEST;
    }

    double trainShare() {
      return train / (train + valid + test);
    }

    double trainAndValidShare() {
      return (train + valid) / (train + valid + test);
    }
  }

  /**
   * Random, but a function of the row's content (user, item, scenario, time) and the seed: a row
   * stays where it is when others come or the order changes, and exact repeats stay together.
   */
  record Random(Ratios ratios, long seed) implements SplitRule {}

  /** The earliest rows train, the latest test; rows of the same time stay together. */
  record ByTime(Ratios ratios) implements SplitRule {}

  /** Whole users go to one part, so that validation and test meet strangers only. */
  record ColdUsers(Ratios ratios, long seed) implements SplitRule {}
}
