package org.llm4msr.model.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** A column of lists of strings under construction: a dictionary, and codes entry after entry. */
public final class ListColumn {
  /** What divides the elements of a list that is written as text, whatever else may. */
  public static final char SEPARATOR = '\u001F';

  private final List<ValueRule> rules;
  private final Dictionary dictionary;
  private final Column codes;
  private final Column start;
  private final Column count;
  private long used;
  private int size;

  /** A column on the heap. */
  public ListColumn() {
    this(ColumnStore.onHeap());
  }

  /** A column whose memory {@code store} owns. */
  public ListColumn(ColumnStore store) {
    this(store, List.of());
  }

  /**
   * A column whose memory {@code store} owns.
   *
   * @param rules that make the value of each element; what says nothing is left out
   */
  public ListColumn(ColumnStore store, List<ValueRule> rules) {
    this.rules = List.copyOf(rules);
    dictionary = new Dictionary(store);
    codes = store.column();
    start = store.column();
    count = store.column();
  }

  /**
   * Sets the list at {@code index}, once; entries that are never set are empty.
   *
   * @param elements in the order that they keep
   */
  public void set(int index, List<String> elements) {
    List<String> values =
        elements.stream()
            .map(element -> ValueRule.apply(rules, element))
            .filter(Objects::nonNull)
            .toList();
    if (index >= size) {
      size = index + 1;
      start.reserve(size, Long.BYTES);
      count.reserve(size, Integer.BYTES);
    }
    start.setLong(index, used);
    count.setInt(index, values.size());
    codes.reserve(used + values.size(), Integer.BYTES);
    for (String value : values) {
      codes.setInt(used++, dictionary.add(value));
    }
  }

  /** Elements of the list at {@code index}; 0 beyond the end. */
  public int count(int index) {
    return index < size ? count.getInt(index) : 0;
  }

  /** The code of an element, {@code position} in [0, count). */
  public int code(int index, int position) {
    return codes.getInt(start.getLong(index) + position);
  }

  /** The rules that make the values of elements. */
  public List<ValueRule> rules() {
    return rules;
  }

  /**
   * The elements of a list written as text, without white space around them; empty ones are none.
   *
   * @param separator divides them, beside {@link #SEPARATOR}; empty for no other
   */
  public static List<String> elements(String text, String separator) {
    List<String> elements = new ArrayList<>();
    int start = 0;
    while (start <= text.length()) {
      int end = text.indexOf(SEPARATOR, start);
      int after = end + 1;
      int other = separator.isEmpty() ? -1 : text.indexOf(separator, start);
      if (other >= 0 && (end < 0 || other < end)) {
        end = other;
        after = other + separator.length();
      }
      if (end < 0) {
        end = text.length();
        after = end + 1;
      }
      String element = text.substring(start, end).strip();
      if (!element.isEmpty()) {
        elements.add(element);
      }
      start = after;
    }
    return elements;
  }

  public Dictionary dictionary() {
    return dictionary;
  }

  /** Gives the entries' memory back once a field has been made of them; the dictionary stays. */
  public void closeEntries() {
    codes.close();
    start.close();
    count.close();
  }
}
