package org.llm4msr.bindings.cpu;

/** How numbers of 8 bits lie in what a {@link ScoringProgram} reads; see {@code score.h}. */
public final class Int8Layout {
  /** Numbers in a float's place. */
  public static final int QUAD = 4;

  /** Columns that lie side by side in a matrix before the rows. */
  public static final int WIDE_PANEL = 16;

  /** The most rows of a matrix before the rows. */
  public static final int MAX_VECTOR = 4096;

  /** Columns before the bytes of what QUANTISE makes: scales and zero points. */
  private static final int QUANTISED_HEAD = 2;

  private Int8Layout() {}

  /** Floats' places of a row of a table: its scale, and n bytes. */
  public static long row(long n) {
    return 1 + quads(n);
  }

  /** Floats' places of a panel of a matrix on rows with k rows. */
  public static long panel(long k) {
    return panel(k, ScoringProgram.PANEL);
  }

  /** Floats' places of a panel of {@code width} columns of a matrix with k rows. */
  public static long panel(long k, int width) {
    return (2 + quads(k)) * width;
  }

  /** Floats' places of a matrix {@code [k, n]} before the rows. */
  public static long matrix(long k, long n) {
    return Math.multiplyExact((n + WIDE_PANEL - 1) / WIDE_PANEL, panel(k, WIDE_PANEL));
  }

  /** Columns of what QUANTISE makes of n columns. */
  public static long quantisedColumns(long n) {
    return QUANTISED_HEAD + quads(n);
  }

  private static long quads(long n) {
    return (n + QUAD - 1) / QUAD;
  }
}
