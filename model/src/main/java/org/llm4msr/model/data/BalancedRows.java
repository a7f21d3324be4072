package org.llm4msr.model.data;

import java.util.Arrays;

/**
 * Draws epochs with equally many rows of every scenario. A scenario's rows form an endless
 * sequence, one permutation after another, of which each epoch takes the next piece: every row
 * comes up equally often. An epoch is a function of the seed and its number.
 */
final class BalancedRows {
  private final int[][] rows;
  private final int[][] permuted;
  private final long[] permutation;
  private final long seed;

  BalancedRows(Dataset dataset, int[] all, long seed) {
    this.seed = seed;
    int[] counts = new int[dataset.scenarios().size()];
    for (int row : all) {
      counts[dataset.scenario(row)]++;
    }
    int[][] byScenario = new int[counts.length][];
    Arrays.setAll(byScenario, s -> new int[counts[s]]);
    int[] next = new int[counts.length];
    for (int row : all) {
      int s = dataset.scenario(row);
      byScenario[s][next[s]++] = row;
    }
    rows = Arrays.stream(byScenario).filter(some -> some.length > 0).toArray(int[][]::new);
    permuted = Arrays.stream(rows).map(int[]::clone).toArray(int[][]::new);
    permutation = new long[rows.length];
    Arrays.fill(permutation, -1);
  }

  /** Fills {@code order} with the rows of an epoch, scenario after scenario. */
  void draw(int epoch, int[] order) {
    int at = 0;
    for (int s = 0; s < rows.length; s++) {
      // Shares differ by one at most where the rows cannot be divided evenly.
      int share = (int) ((s + 1L) * order.length / rows.length) - at;
      long place = (long) epoch * share;
      for (int i = 0; i < share; i++, place++) {
        order[at++] = row(s, place);
      }
    }
  }

  private int row(int s, long place) {
    long number = place / rows[s].length;
    if (permutation[s] != number) {
      System.arraycopy(rows[s], 0, permuted[s], 0, rows[s].length);
      StableHash.shuffle(permuted[s], StableHash.combine(StableHash.combine(seed, s), number));
      permutation[s] = number;
    }
    return permuted[s][(int) (place % rows[s].length)];
  }
}
