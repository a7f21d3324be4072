package org.llm4msr.runtime.conformance;

import java.util.HashMap;
import java.util.Map;
import org.llm4msr.runtime.Shape;
import org.llm4msr.runtime.graph.Dim;
import org.llm4msr.runtime.graph.ValueType;

/** The current extent of every symbol of a case. */
public final class Extents {
  private final Map<Dim, Long> symbols = new HashMap<>();

  void set(Dim symbol, long extent) {
    symbols.put(symbol, extent);
  }

  public long of(Dim dim) {
    return dim.isSymbol() ? symbols.get(dim) : dim.fixed();
  }

  public Shape shape(ValueType type) {
    return Shape.of(type.dims().stream().mapToLong(this::of).toArray());
  }
}
