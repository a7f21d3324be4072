package org.llm4msr.model.data;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Distinct strings, numbered from 0 in the order in which they were first seen. */
public final class Dictionary {
  /** What {@link #find} answers for a string that is not there. */
  public static final int ABSENT = -1;

  private final List<String> values = new ArrayList<>();
  private final Map<String, Integer> codes = new HashMap<>();

  /** The code of {@code value}, added when it is new. */
  public int add(String value) {
    Integer known = codes.get(value);
    if (known != null) {
      return known;
    }
    int code = values.size();
    codes.put(value, code);
    values.add(value);
    return code;
  }

  /** The code of {@code value}, or {@link #ABSENT}. */
  public int find(String value) {
    return codes.getOrDefault(value, ABSENT);
  }

  public String value(int code) {
    return values.get(code);
  }

  public int size() {
    return values.size();
  }

  /** All strings in the order of their codes; a view that cannot be changed. */
  public List<String> values() {
    return Collections.unmodifiableList(values);
  }
}
