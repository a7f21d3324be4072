package org.llm4msr.app.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class AxisTest {
  @Test
  void ticksAreRoundAndInside() {
    Axis axis = new Axis(0.7012, 0.7534, 100, 500, 6);
    assertThat(axis.ticks().stream().map(axis::label))
        .containsExactly("0.70", "0.71", "0.72", "0.73", "0.74", "0.75");
    assertThat(axis.pixel(0.7012)).isBetween(100.0, 130.0);
    assertThat(axis.pixel(0.7534)).isBetween(470.0, 500.0);
  }

  @Test
  void anAxisMayRunDownwards() {
    Axis axis = new Axis(0, 10, 200, 0, 5);
    assertThat(axis.pixel(5)).isCloseTo(100, within(1e-9));
    assertThat(axis.pixel(10)).isLessThan(axis.pixel(0));
  }

  @Test
  void equalValuesStillHaveAnAxis() {
    Axis axis = new Axis(0.5, 0.5, 0, 100, 5);
    assertThat(axis.pixel(0.5)).isCloseTo(50, within(1e-9));
    assertThat(axis.ticks()).isNotEmpty();
  }
}
