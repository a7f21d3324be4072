package org.llm4msr.model.prompt;

import java.util.Arrays;
import java.util.function.IntFunction;
import org.llm4msr.model.data.Dataset;
import org.llm4msr.model.data.Split;
import org.llm4msr.model.data.TextTable;

/** The training rows user by user: all that prompts are made of. */
final class TrainingHistory {
  private final Dataset dataset;
  private final int[] rows;
  private final int[] offsets;

  TrainingHistory(Dataset dataset) {
    this.dataset = dataset;
    int[] trainRows = dataset.rowsOf(Split.TRAIN);
    offsets = new int[dataset.users() + 1];
    for (int row : trainRows) {
      offsets[dataset.user(row) + 1]++;
    }
    Arrays.parallelPrefix(offsets, Integer::sum);
    int[] cursor = offsets.clone();
    rows = new int[trainRows.length];
    for (int row : trainRows) {
      rows[cursor[dataset.user(row)]++] = row;
    }
  }

  Dataset dataset() {
    return dataset;
  }

  /** The training rows of a user, in the order of the log. */
  int[] rowsOf(int user) {
    return Arrays.copyOfRange(rows, offsets[user], offsets[user + 1]);
  }

  boolean isTrainingUser(int user) {
    return offsets[user + 1] > offsets[user];
  }

  /** How many training users met each item. */
  int[] usersPerItem() {
    return usersPer(dataset.items(), row -> new int[] {dataset.item(row)});
  }

  /** How many training users met an item of each category. */
  int[] usersPerCategory() {
    TextTable text = dataset.itemText();
    return usersPer(text.categories(), row -> categories(text, dataset.item(row)));
  }

  static int[] categories(TextTable text, int index) {
    int[] categories = new int[text.categoryCount(index)];
    Arrays.setAll(categories, i -> text.category(index, i));
    return categories;
  }

  private int[] usersPer(int count, IntFunction<int[]> things) {
    int[] users = new int[count];
    int[] lastUser = new int[count];
    Arrays.fill(lastUser, -1);
    for (int user = 0; user < dataset.users(); user++) {
      for (int r = offsets[user]; r < offsets[user + 1]; r++) {
        for (int thing : things.apply(rows[r])) {
          if (lastUser[thing] != user) {
            lastUser[thing] = user;
            users[thing]++;
          }
        }
      }
    }
    return users;
  }
}
