package org.llm4msr.model.data;

import java.util.ArrayList;
import java.util.List;

/**
 * A column of strings under construction: a dictionary and one code per entry. What is done to the
 * values (first of a list, buckets) is done once per distinct value.
 */
public final class CodedColumn {
  /** The code of a missing value. */
  public static final int MISSING = Dictionary.ABSENT;

  private final ColumnStore store;
  private final Dictionary dictionary;
  private final Column codesPlusOne;
  private final int[] renamed;
  private final List<ValueRule> rules;
  private int size;

  /** A column on the heap. */
  public CodedColumn() {
    this(ColumnStore.onHeap());
  }

  /** A column whose memory {@code store} owns. */
  public CodedColumn(ColumnStore store) {
    this(store, new Dictionary(store), store.column(), null, 0, List.of());
  }

  /**
   * @param codesPlusOne codes as read, 0 for a missing one; null where every entry is its own code
   * @param renamed the code in {@code dictionary} by the code as read; null where they are the same
   * @param rules that made the values of those as read
   */
  private CodedColumn(
      ColumnStore store,
      Dictionary dictionary,
      Column codesPlusOne,
      int[] renamed,
      int size,
      List<ValueRule> rules) {
    this.store = store;
    this.dictionary = dictionary;
    this.codesPlusOne = codesPlusOne;
    this.renamed = renamed;
    this.size = size;
    this.rules = rules;
  }

  /** Every key of {@code dictionary} once, in order: the raw column of users or of items. */
  static CodedColumn identity(Dictionary dictionary) {
    return new CodedColumn(
        ColumnStore.onHeap(), dictionary, null, null, dictionary.size(), List.of());
  }

  /** Appends a value; null is a missing one. */
  public void add(String value) {
    set(size, value);
  }

  /** Sets the value at {@code index}; entries skipped on the way are missing. */
  public void set(int index, String value) {
    if (codesPlusOne == null || renamed != null) {
      throw new IllegalStateException("only a column as it was read can be changed");
    }
    if (index >= size) {
      size = index + 1;
      codesPlusOne.reserve(size, Integer.BYTES);
    }
    codesPlusOne.setInt(index, value == null ? 0 : dictionary.add(value) + 1);
  }

  public int size() {
    return size;
  }

  /** The code at {@code index}, {@link #MISSING} for a missing value and beyond the end. */
  public int code(int index) {
    if (index >= size) {
      return MISSING;
    }
    int code = codesPlusOne == null ? index : codesPlusOne.getInt(index) - 1;
    return renamed == null || code == MISSING ? code : renamed[code];
  }

  /** The value at {@code index}, null when it is missing. */
  public String get(int index) {
    int code = code(index);
    return code == MISSING ? null : dictionary.value(code);
  }

  public Dictionary dictionary() {
    return dictionary;
  }

  /** The rules that made the values of those that were added, in order. */
  public List<ValueRule> rules() {
    return rules;
  }

  /**
   * This column with every value replaced as a rule says; null makes it missing. It reads this
   * column's codes, so that a row costs nothing again.
   */
  public CodedColumn apply(ValueRule rule) {
    Dictionary changed = new Dictionary(store);
    int[] newCode = new int[dictionary.size()];
    for (int code = 0; code < newCode.length; code++) {
      String value = rule.apply(dictionary.value(code));
      newCode[code] = value == null ? MISSING : changed.add(value);
    }
    List<ValueRule> longer = new ArrayList<>(rules);
    longer.add(rule);
    if (renamed == null) {
      return new CodedColumn(store, changed, codesPlusOne, newCode, size, List.copyOf(longer));
    }
    int[] composed = new int[renamed.length];
    for (int code = 0; code < composed.length; code++) {
      composed[code] = renamed[code] == MISSING ? MISSING : newCode[renamed[code]];
    }
    return new CodedColumn(store, changed, codesPlusOne, composed, size, List.copyOf(longer));
  }

  /** Gives the entries' memory back once a field has been made of them; the dictionary stays. */
  public void closeEntries() {
    if (codesPlusOne != null) {
      codesPlusOne.close();
    }
  }
}
