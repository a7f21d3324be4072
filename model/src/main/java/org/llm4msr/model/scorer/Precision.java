package org.llm4msr.model.scorer;

import java.util.Locale;

/** The numbers in which a snapshot holds matrices and what depends on the item alone. */
public enum Precision {
  /** Scores are those of evaluation. */
  F32,

  /** Half the memory; products in BF16 with sums in F32. Scores differ in the third digit. */
  BF16,

  /**
   * A quarter of the memory. Integers of 8 bits with a scale for each item, and for each output of
   * a matrix; what comes into a layer is rounded to 8 bits item by item, and sums are exact.
   */
  INT8;

  /** As the snapshot's directory and options have it. */
  String key() {
    return name().toLowerCase(Locale.ROOT);
  }
}
