package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

class ChecksTest {
  private static final int CALLS = 10_000;

  /** They stand before every native call of a training step, which must not allocate. */
  @Test
  void whatHoldsCostsNoMemory() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment segment = arena.allocate(64, 8);
      check(segment);
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < CALLS; i++) {
        check(segment);
      }
      // Less than an object for each call.
      assertThat(threads.getCurrentThreadAllocatedBytes() - before).isLessThan(8L * CALLS);
    }
  }

  private static void check(MemorySegment segment) {
    Checks.floats("a", segment, 4, 3, 4);
    Checks.ids("ids", segment, 4, 2);
    Checks.grouping(segment, segment, 4, 3);
  }

  @Test
  void messagesNameTheArgument() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment segment = arena.allocate(64, 8);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Checks.floats("a", segment, -1, 3, 4))
          .withMessage("the rows of a must not be negative, but is -1");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Checks.ids("ids", segment, 4, 0))
          .withMessage("the stride of ids must be positive, but is 0");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Checks.product("order", 2, -3))
          .withMessage("an extent of order must not be negative, but is -3");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> Checks.floats("a", segment, 17))
          .withMessage("a needs 68 bytes, but has 64");
    }
  }
}
