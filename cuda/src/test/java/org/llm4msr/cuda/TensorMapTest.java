package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.memory.Buffer;

/** What the driver is told of a matrix. */
class TensorMapTest {
  private final Arena arena = Arena.ofConfined();
  private Context context;
  private Stream stream;
  private DeviceMemory memory;

  @BeforeEach
  void open() {
    StandIn.require();
    context = Context.of(CudaDevices.found().devices().getFirst());
    stream = Stream.create();
    memory = new DeviceMemory(context, stream);
  }

  @AfterEach
  void close() {
    if (context != null) {
      memory.close();
      stream.close();
      context.close();
    }
    arena.close();
    StandIn.assertNothingWrong();
  }

  @Test
  void encodesAMatrix() {
    MemorySegment map = arena.allocate(TensorMap.BYTES, TensorMap.ALIGNMENT);
    try (Buffer matrix = memory.allocate(100 * 144, "a test")) {
      long address = matrix.address();
      TensorMap.encode(map, address, 100, 70, 144);
      // What the stand-in notes behind its own form: address, extents and step, box, type, swizzle,
      // promotion.
      long[] noted = map.asSlice(48, 72).toArray(JAVA_LONG);
      assertThat(noted).containsExactly(address, 70, 100, 144, 64, 64, 9, 3, 2);
      assertThatThrownBy(() -> TensorMap.encode(map, address + 2, 1, 1, 16))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> TensorMap.encode(map, address, 1, 9, 16))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> TensorMap.encode(map, address, 0, 1, 16))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("boxes of [0, 1]");
    }
  }
}
