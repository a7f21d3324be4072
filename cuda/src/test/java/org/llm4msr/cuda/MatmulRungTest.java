package org.llm4msr.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The choice in Java is that of choose.h. */
class MatmulRungTest {
  @Test
  void choosesAsTheHeaderDoes() {
    StandIn.require();
    Random random = new Random(11);
    Set<MatmulRung> chosen = EnumSet.noneOf(MatmulRung.class);
    for (int i = 0; i < 3_000; i++) {
      int m = random.nextInt(1, i % 2 == 0 ? 300 : 20_000);
      int n = random.nextInt(1, i % 3 == 0 ? 300 : 20_000);
      int k = random.nextInt(1, 10_000);
      int multiprocessors = i % 5 == 0 ? 132 : random.nextInt(1, 200);
      boolean gated = random.nextBoolean();
      boolean half = random.nextBoolean();
      boolean mapped = random.nextInt(10) > 0;
      boolean hopper = random.nextInt(10) > 0;
      MatmulRung rung = MatmulRung.of(m, n, k, gated, half, mapped, hopper, multiprocessors);
      assertThat((long) rung.ordinal() << 32 | rung.blocks(m, n, gated, multiprocessors))
          .as("%d x %d x %d on %d, %s", m, n, k, multiprocessors, rung)
          .isEqualTo(StandIn.choose(m, n, k, gated, half, mapped, hopper, multiprocessors));
      chosen.add(rung);
    }
    assertThat(chosen).containsExactly(MatmulRung.values());
  }
}
