package org.llm4msr.bindings.cpu;

/** How numbers of 8 bits lie in what a {@link ScoringProgram} reads; see {@code score.h}. */
public final class Int8Layout {
  /** Numbers in a float's place. */
  public static final int QUAD = 4;

  /** Floats' places before the bytes of a panel: scales and sums of its columns. */
  public static final int PANEL_HEAD = 2 * ScoringProgram.PANEL;

  /** Columns before the bytes of what QUANTISE makes: scales and zero points. */
  private static final int QUANTISED_HEAD = 2;

  private Int8Layout() {}

  /** Floats' places of a row of a table: its scale, and n bytes. */
  public static long row(long n) {
    return 1 + quads(n);
  }

  /** Floats' places of a panel of a matrix with k rows. */
  public static long panel(long k) {
    return PANEL_HEAD + quads(k) * ScoringProgram.PANEL;
  }

  /** Columns of what QUANTISE makes of n columns. */
  public static long quantisedColumns(long n) {
    return QUANTISED_HEAD + quads(n);
  }

  private static long quads(long n) {
    return (n + QUAD - 1) / QUAD;
  }
}
