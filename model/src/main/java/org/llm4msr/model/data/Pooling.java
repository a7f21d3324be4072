package org.llm4msr.model.data;

/** How the vectors of a list's elements become one. */
public enum Pooling {
  MEAN,
  SUM,
  /**
   * A mean whose weights depend on the elements, and on the field that the list shares a table
   * with.
   */
  ATTENTION
}
