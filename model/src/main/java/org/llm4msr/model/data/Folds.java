package org.llm4msr.model.data;

/**
 * Out-of-fold knowledge: a user's vector that is trained on should not be made from the very row it
 * is trained on. Each training row belongs to one of {@code count} folds, by its user and item (all
 * repeats of a pair share a fold), and uses the user's vector whose prompt left that fold out.
 * Validation and test rows, and every row when {@code count} is 0, use the vector made from all
 * training rows.
 *
 * <p>A <em>profile</em> is a user together with a fold; each has its own prompt and vector.
 *
 * @param count 0 (none) or at least 2
 */
public record Folds(int count) {
  /** One profile per user. */
  public static final Folds NONE = new Folds(0);

  /** The fold of rows that use the vector made from all training rows. */
  public static final int ALL_ROWS = 0;

  public Folds {
    if (count < 0 || count == 1) {
      throw new IllegalArgumentException("folds must be 0 or at least 2, but are " + count);
    }
  }

  /** The fold in [1, count] of a training row, {@link #ALL_ROWS} for any other. */
  public int of(Dataset dataset, int row) {
    if (count == 0 || dataset.split(row) != Split.TRAIN) {
      return ALL_ROWS;
    }
    return 1 + StableHash.bounded(dataset.pairHash(row), count);
  }

  /** Number of profiles; for {@link #NONE} the number of users. */
  public int profiles(Dataset dataset) {
    return Math.multiplyExact(dataset.users(), count + 1);
  }

  /** The profile in [0, profiles) whose vector a row uses; for {@link #NONE} its user. */
  public int profile(Dataset dataset, int row) {
    return profile(dataset.user(row), of(dataset, row));
  }

  /** The profile of a user and a fold. */
  public int profile(int user, int fold) {
    return user * (count + 1) + fold;
  }

  /** The user of a profile. */
  public int user(int profile) {
    return profile / (count + 1);
  }

  /** The fold that a profile leaves out, or {@link #ALL_ROWS}. */
  public int fold(int profile) {
    return profile % (count + 1);
  }
}
