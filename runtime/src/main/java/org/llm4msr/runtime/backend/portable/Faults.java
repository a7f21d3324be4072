package org.llm4msr.runtime.backend.portable;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** What kernels may find wrong with data, by the numbers with which they note it on the device. */
public final class Faults {
  /** Bytes that kernels note a fault in: its number, the element, the value, and one to spare. */
  public static final int BYTES = 4 * Integer.BYTES;

  // Fault number n is described by element n - 1.
  private final List<String> descriptions = new ArrayList<>();

  /** See {@link Device#faults}. */
  public int register(String operator, String first, String second) {
    String one = operator + ": " + first;
    String two = operator + ": " + second;
    // Plans are made again and again; what they may report stays the same.
    for (int i = 0; i + 1 < descriptions.size(); i += 2) {
      if (descriptions.get(i).equals(one) && descriptions.get(i + 1).equals(two)) {
        return i + 1;
      }
    }
    descriptions.add(one);
    descriptions.add(two);
    return descriptions.size() - 1;
  }

  /** What kernels noted in {@link #BYTES} bytes, or null if it is nothing. */
  public IllegalArgumentException noted(MemorySegment fault) {
    int number = fault.getAtIndex(ValueLayout.JAVA_INT, 0);
    if (number == 0) {
      return null;
    }
    int element = fault.getAtIndex(ValueLayout.JAVA_INT, 1);
    int value = fault.getAtIndex(ValueLayout.JAVA_INT, 2);
    return new IllegalArgumentException(
        descriptions.get(number - 1) + " is out of range: element " + element + " is " + value);
  }
}
