package org.llm4msr.runtime;

import java.util.Arrays;

/** Immutable extents of a row-major tensor, outermost first. */
public final class Shape {
  private final long[] extents;

  private Shape(long[] extents) {
    this.extents = extents;
  }

  /**
   * @throws IllegalArgumentException if an extent is negative or the element count overflows
   */
  public static Shape of(long... extents) {
    long elements = 1;
    for (long extent : extents) {
      if (extent < 0) {
        throw new IllegalArgumentException("negative extent in " + Arrays.toString(extents));
      }
      if (extent != 0 && elements > Long.MAX_VALUE / 16 / extent) {
        throw new IllegalArgumentException("too many elements in " + Arrays.toString(extents));
      }
      elements *= extent;
    }
    return new Shape(extents.clone());
  }

  public int rank() {
    return extents.length;
  }

  public long dim(int axis) {
    return extents[axis];
  }

  public long elements() {
    long elements = 1;
    for (long extent : extents) {
      elements *= extent;
    }
    return elements;
  }

  public long[] toArray() {
    return extents.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(extents, shape.extents);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(extents);
  }

  @Override
  public String toString() {
    return Arrays.toString(extents);
  }
}
