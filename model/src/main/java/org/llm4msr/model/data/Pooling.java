package org.llm4msr.model.data;

/** How the vectors of a list's elements become one. */
public enum Pooling {
  MEAN,
  SUM
}
