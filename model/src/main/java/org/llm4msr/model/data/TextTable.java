package org.llm4msr.model.data;

import java.util.Arrays;
import java.util.List;

/** Titles and categories of items, or of users: the words that prompts are made of. */
public final class TextTable {
  private static final int[] NONE = {};

  private final Dictionary categoryNames = new Dictionary();
  private String[] titles = new String[16];
  private int[][] categories = new int[16][];

  /** The title, or null when there is none. */
  public String title(int index) {
    return index < titles.length ? titles[index] : null;
  }

  /** How many categories an entry has. */
  public int categoryCount(int index) {
    return categoriesOf(index).length;
  }

  /**
   * The {@code i}-th category of an entry, as an index for {@link #categoryName}; the most
   * important one comes first.
   */
  public int category(int index, int i) {
    return categoriesOf(index)[i];
  }

  /** Number of distinct categories. */
  public int categories() {
    return categoryNames.size();
  }

  public String categoryName(int category) {
    return categoryNames.value(category);
  }

  private int[] categoriesOf(int index) {
    return index < categories.length && categories[index] != null ? categories[index] : NONE;
  }

  /** Fills an entry; only while the data set is being built. */
  void set(int index, String title, List<String> names) {
    if (index >= titles.length) {
      int length = Math.max(index + 1, titles.length + (titles.length >> 1));
      titles = Arrays.copyOf(titles, length);
      categories = Arrays.copyOf(categories, length);
    }
    titles[index] = title;
    categories[index] = names.stream().distinct().mapToInt(categoryNames::add).toArray();
  }
}
