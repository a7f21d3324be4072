package org.llm4msr.model.training;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.llm4msr.model.recommender.MetaConfig.Normalization;

class VectorScalingTest {
  /** Rows 0, 2 and 3 hold vectors, row 1 holds none. */
  private static float[] scaled(Normalization normalization, float... elements) {
    MemorySegment table = MemorySegment.ofArray(elements);
    BitSet rows = new BitSet();
    rows.set(0);
    rows.set(2, 4);
    VectorScaling.apply(normalization, table, 2, rows);
    return table.toArray(JAVA_FLOAT);
  }

  @Test
  void lengths() {
    assertThat(scaled(Normalization.NONE, 3, 4, 9, 9, 0, 0, 1, 2))
        .containsExactly(3, 4, 9, 9, 0, 0, 1, 2);
    assertThat(scaled(Normalization.L2, 3, 4, 9, 9, 0, 0, 0, -2))
        .containsExactly(0.6f, 0.8f, 9, 9, 0, 0, 0, -1);
    float root = (float) Math.sqrt(2);
    assertThat(scaled(Normalization.RMS, 3, 4, 9, 9, 0, 0, 0, -2))
        .containsExactly(
            (float) (0.6 * Math.sqrt(2)), (float) (0.8 * Math.sqrt(2)), 9, 9, 0, 0, 0, -root);
  }

  @Test
  void standardScoresLeaveOutMissingRowsAndDropConstants() {
    // First dimension 1, 4, 7: mean 4, standard deviation sqrt(6); root of the width sqrt(2).
    float step = (float) (3 / Math.sqrt(6 * 2));
    assertThat(scaled(Normalization.STANDARD, 1, 5, 9, 9, 4, 5, 7, 5))
        .containsExactly(-step, 0, 9, 9, 0, 0, step, 0);
  }
}
