package org.llm4msr.runtime.graph;

/** The gradient of a value: dense, or non-zero in some rows only. */
public sealed interface Gradient {
  /** Same type as the value it belongs to. */
  record Dense(Value value) implements Gradient {}

  /**
   * Of a table {@code [vocabulary, width]}: distinct ascending row numbers I32 {@code [n]}, how
   * many of them count I32 {@code [1]}, and their gradients {@code [n, width]}.
   */
  record SparseRows(Value rows, Value count, Value values) implements Gradient {}
}
