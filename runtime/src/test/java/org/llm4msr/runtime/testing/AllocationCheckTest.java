package org.llm4msr.runtime.testing;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.memory.HostBuffer;

class AllocationCheckTest {
  @Test
  void saysWhatWasLeftOpenAndWhereItWasOpened() {
    List<AllocationTracker.Entry> before = AllocationTracker.open();
    try (HostBuffer _ = HostBuffer.allocate(100, "left over")) {
      assertThatThrownBy(() -> AllocationCheck.verify("SomeTest", before))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("SomeTest leaves 1 native allocations open")
          .hasMessageContaining("left over, 100 bytes")
          .hasMessageContaining("AllocationCheckTest.saysWhatWasLeftOpenAndWhereItWasOpened");
    }
    assertThatCode(() -> AllocationCheck.verify("SomeTest", before)).doesNotThrowAnyException();
  }

  @Test
  void ignoresWhatWasOpenBefore() {
    try (HostBuffer _ = HostBuffer.allocate(100, "opened before")) {
      List<AllocationTracker.Entry> before = AllocationTracker.open();
      assertThatCode(() -> AllocationCheck.verify("SomeTest", before)).doesNotThrowAnyException();
    }
  }
}
