package org.llm4msr.model.data;

import java.util.Arrays;
import java.util.function.UnaryOperator;

/**
 * A column of strings under construction: a dictionary and one code per entry. What is done to the
 * values (first of a list, buckets) is done once per distinct value.
 */
public final class CodedColumn {
  /** The code of a missing value. */
  public static final int MISSING = Dictionary.ABSENT;

  private final Dictionary dictionary;
  private int[] codes;
  private int size;

  public CodedColumn() {
    this(new Dictionary(), new int[16], 0);
  }

  private CodedColumn(Dictionary dictionary, int[] codes, int size) {
    this.dictionary = dictionary;
    this.codes = codes;
    this.size = size;
  }

  /** Every key of {@code dictionary} once, in order: the raw column of users or of items. */
  static CodedColumn identity(Dictionary dictionary) {
    int[] codes = new int[dictionary.size()];
    Arrays.setAll(codes, i -> i);
    return new CodedColumn(dictionary, codes, codes.length);
  }

  /** Appends a value; null is a missing one. */
  public void add(String value) {
    set(size, value);
  }

  /** Sets the value at {@code index}; entries skipped on the way are missing. */
  public void set(int index, String value) {
    if (index >= codes.length) {
      codes = Arrays.copyOf(codes, Math.max(index + 1, codes.length + (codes.length >> 1)));
    }
    if (index >= size) {
      Arrays.fill(codes, size, index + 1, MISSING);
      size = index + 1;
    }
    codes[index] = value == null ? MISSING : dictionary.add(value);
  }

  public int size() {
    return size;
  }

  /** The code at {@code index}, {@link #MISSING} for a missing value and beyond the end. */
  public int code(int index) {
    return index < size ? codes[index] : MISSING;
  }

  /** The value at {@code index}, null when it is missing. */
  public String get(int index) {
    int code = code(index);
    return code == MISSING ? null : dictionary.value(code);
  }

  public Dictionary dictionary() {
    return dictionary;
  }

  /** A new column in which {@code change} has replaced every value; null makes it missing. */
  public CodedColumn map(UnaryOperator<String> change) {
    Dictionary changed = new Dictionary();
    int[] newCode = new int[dictionary.size()];
    for (int code = 0; code < newCode.length; code++) {
      String value = change.apply(dictionary.value(code));
      newCode[code] = value == null ? MISSING : changed.add(value);
    }
    int[] mapped = new int[size];
    for (int i = 0; i < size; i++) {
      mapped[i] = codes[i] == MISSING ? MISSING : newCode[codes[i]];
    }
    return new CodedColumn(changed, mapped, size);
  }
}
