package org.llm4msr.model.data;

import java.util.Arrays;

/** A column of numbers under construction, one per entry; NaN stands for a missing one. */
public final class NumberColumn {
  private double[] numbers = new double[16];
  private int size;

  /** Appends a number. */
  public void add(double number) {
    set(size, number);
  }

  /**
   * Sets the number at {@code index}; entries skipped on the way are missing.
   *
   * @param number finite, or NaN for a missing one
   */
  public void set(int index, double number) {
    if (Double.isInfinite(number)) {
      throw new IllegalArgumentException("infinite number at " + index);
    }
    if (index >= numbers.length) {
      numbers = Arrays.copyOf(numbers, Math.max(index + 1, numbers.length + (numbers.length >> 1)));
    }
    if (index >= size) {
      Arrays.fill(numbers, size, index + 1, Double.NaN);
      size = index + 1;
    }
    numbers[index] = number;
  }

  /** The number at {@code index}, NaN for a missing one and beyond the end. */
  public double get(int index) {
    return index < size ? numbers[index] : Double.NaN;
  }
}
