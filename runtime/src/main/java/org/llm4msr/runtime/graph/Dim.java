package org.llm4msr.runtime.graph;

/**
 * One extent of a value in a graph: fixed, or a symbol whose extent is chosen anew for every run,
 * up to a maximum. Two symbols are the same extent if and only if they are the same object.
 */
public final class Dim {
  private final String symbol;
  private final long max;

  private Dim(String symbol, long max) {
    if (max < 0) {
      throw new IllegalArgumentException("negative extent " + max);
    }
    this.symbol = symbol;
    this.max = max;
  }

  public static Dim of(long extent) {
    return new Dim(null, extent);
  }

  /** A new symbol; {@code name} is for messages. */
  public static Dim symbol(String name, long max) {
    return new Dim(name, max);
  }

  public boolean isSymbol() {
    return symbol != null;
  }

  /** The fixed extent, or the largest that a symbol may take. */
  public long max() {
    return max;
  }

  /**
   * @throws IllegalArgumentException if this is a symbol
   */
  public long fixed() {
    if (symbol != null) {
      throw new IllegalArgumentException("the extent '" + symbol + "' is not fixed");
    }
    return max;
  }

  public boolean isOne() {
    return symbol == null && max == 1;
  }

  @Override
  public boolean equals(Object other) {
    return this == other
        || other instanceof Dim dim && symbol == null && dim.symbol == null && max == dim.max;
  }

  @Override
  public int hashCode() {
    return symbol == null ? Long.hashCode(max) : System.identityHashCode(this);
  }

  @Override
  public String toString() {
    return symbol == null ? Long.toString(max) : symbol + "<=" + max;
  }
}
