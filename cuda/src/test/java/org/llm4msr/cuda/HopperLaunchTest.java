package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jcuda.driver.CUresult;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.llm4msr.runtime.memory.Buffer;

/** What JCuda lacks: launches in clusters and tensor maps. */
class HopperLaunchTest {
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
  void launchesClusters() {
    int elements = 4 * 64;
    try (KernelModule module = Modules.load("portable", context.device());
        Transfers transfers = new Transfers(stream);
        Buffer y = memory.allocate(4L * elements, "a test")) {
      // fill(n, value, y)
      MemorySegment values = arena.allocate(JAVA_LONG, 3);
      values.set(JAVA_LONG, 0, elements);
      values.set(JAVA_FLOAT, 8, 1.5f);
      values.set(JAVA_LONG, 16, y.address());
      MemorySegment arguments = arena.allocate(ADDRESS, 3);
      for (int i = 0; i < 3; i++) {
        arguments.setAtIndex(ADDRESS, i, values.asSlice(8L * i));
      }
      MemorySegment config = LaunchConfig.of(arena, 4, 64, 0, 2, stream);
      assertThat(Driver.launch(config, module.function("fill"), arguments))
          .isEqualTo(CUresult.CUDA_SUCCESS);
      float[] read = new float[elements];
      transfers.download(y.address(), MemorySegment.ofArray(read));
      assertThat(read).containsOnly(1.5f);
    }
    assertThatThrownBy(() -> LaunchConfig.of(arena, 3, 64, 0, 2, stream))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("3 groups of 64 in clusters of 2");
  }

  @Test
  void encodesAMatrix() {
    try (Buffer matrix = memory.allocate(100 * 144, "a test")) {
      MemorySegment map =
          TensorMap.ofBfloat16(
              arena, matrix.address(), 100, 70, 144, 64, 32, TensorMap.Swizzle.BYTES_64);
      // What the stand-in notes behind its own form: address, extents and step, box, type, swizzle,
      // promotion.
      long[] noted = map.asSlice(48, 72).toArray(JAVA_LONG);
      assertThat(noted).containsExactly(matrix.address(), 70, 100, 144, 32, 64, 9, 2, 2);
      assertThatThrownBy(() ->
              TensorMap.ofBfloat16(
                  arena, matrix.address() + 2, 1, 1, 16, 1, 1, TensorMap.Swizzle.NONE))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() ->
              TensorMap.ofBfloat16(
                  arena, matrix.address(), 100, 70, 144, 257, 1, TensorMap.Swizzle.NONE))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("boxes [257, 1] of [100, 70]");
    }
  }
}
