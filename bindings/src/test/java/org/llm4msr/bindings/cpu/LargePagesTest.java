package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

class LargePagesTest {
  private static final long PAGE = 2L << 20;
  private static final Path STATUS = Path.of("/proc/self/status");

  @Test
  void isZeroedAlignedAndWritableToItsEnd() {
    for (long bytes : new long[] {1, PAGE - 1, PAGE, 3 * PAGE + 12}) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment memory = LargePages.allocate(bytes, arena);
        assertThat(memory.byteSize()).isEqualTo(bytes);
        assertThat(memory.address() % PAGE).isZero();
        for (long at = 0; at < bytes; at += Math.max(1, bytes / 1000)) {
          assertThat(memory.get(ValueLayout.JAVA_BYTE, at)).isZero();
        }
        memory.fill((byte) 7);
        assertThat(memory.get(ValueLayout.JAVA_BYTE, bytes - 1)).isEqualTo((byte) 7);
      }
    }
  }

  @Test
  void goesBackWithItsArena() throws IOException {
    Assumptions.assumeTrue(Files.exists(STATUS), "only Linux says how much is mapped");
    long before = mappedKiB();
    // Also what is reserved around it: two pages are kept each time, a third is not.
    for (int i = 0; i < 1000; i++) {
      MemorySegment memory;
      try (Arena arena = Arena.ofConfined()) {
        memory = LargePages.allocate(2 * PAGE, arena);
      }
      assertThatIllegalStateException().isThrownBy(() -> memory.get(ValueLayout.JAVA_BYTE, 0));
    }
    assertThat(mappedKiB() - before).isLessThan(500 * PAGE / 1024);
  }

  @Test
  void saysHowMuchThereIsNoRoomFor() {
    try (Arena arena = Arena.ofConfined()) {
      assertThatThrownBy(() -> LargePages.allocate(1L << 60, arena))
          .isInstanceOf(OutOfMemoryError.class)
          .hasMessageContaining(String.valueOf(1L << 60));
      assertThatIllegalArgumentException().isThrownBy(() -> LargePages.allocate(0, arena));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> LargePages.allocate(Long.MAX_VALUE, arena));
    }
  }

  private static long mappedKiB() throws IOException {
    return Files.readAllLines(STATUS).stream()
        .filter(line -> line.startsWith("VmSize:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }
}
