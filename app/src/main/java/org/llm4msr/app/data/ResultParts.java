package org.llm4msr.app.data;

import java.util.Set;

/**
 * The parts of the rows that results are given for beside the scenarios. Results have one name for
 * each part, so no scenario may have one of these.
 */
public final class ResultParts {
  /** All rows. */
  public static final String OVERALL = "overall";

  /** Users with fewer training rows than this are thinly known. */
  public static final int THIN_ROWS = 20;

  /** Rows of thinly known users. */
  public static final String THIN_USERS = "users_under_" + THIN_ROWS + "_train_rows";

  /** Rows of users without a training row. */
  public static final String COLD_USERS = "cold_users";

  /** Rows of items without a training row. */
  public static final String COLD_ITEMS = "cold_items";

  /** Rows of the scenario with the fewest training rows. */
  public static final String SPARSEST_SCENARIO = "sparsest_scenario";

  private static final Set<String> NAMES =
      Set.of(OVERALL, THIN_USERS, COLD_USERS, COLD_ITEMS, SPARSEST_SCENARIO);

  private ResultParts() {}

  /** Whether a scenario cannot have this name. */
  static boolean isReserved(String name) {
    return NAMES.contains(name);
  }
}
