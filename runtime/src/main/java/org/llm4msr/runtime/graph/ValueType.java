package org.llm4msr.runtime.graph;

import java.util.Arrays;
import java.util.List;
import org.llm4msr.runtime.DType;

/** Element type and extents of a value; extents outermost first. */
public record ValueType(DType dtype, List<Dim> dims) {
  public ValueType {
    dims = List.copyOf(dims);
  }

  public static ValueType of(DType dtype, Dim... dims) {
    return new ValueType(dtype, Arrays.asList(dims));
  }

  public static ValueType of(DType dtype, long... extents) {
    return new ValueType(dtype, Arrays.stream(extents).mapToObj(Dim::of).toList());
  }

  public int rank() {
    return dims.size();
  }

  /** Extent of an axis; negative axes count from the end. */
  public Dim dim(int axis) {
    return dims.get(axis < 0 ? axis + dims.size() : axis);
  }

  /** Elements when every symbol is at its maximum. */
  public long maxElements() {
    long elements = 1;
    for (Dim dim : dims) {
      elements = Math.multiplyExact(elements, dim.max());
    }
    return elements;
  }

  /** The same type with another last extent. */
  public ValueType withLast(Dim last) {
    Dim[] changed = dims.toArray(Dim[]::new);
    changed[changed.length - 1] = last;
    return of(dtype, changed);
  }

  @Override
  public String toString() {
    return dtype.toString() + dims;
  }
}
