package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/** Native arrays for tests, and comparison of every instruction set with the reference kernels. */
final class Native {
  private Native() {}

  /** The instruction sets of this machine, the reference left out. */
  static List<Isa> supported() {
    return Arrays.stream(Isa.values()).filter(isa -> isa != Isa.REF && isa.isSupported()).toList();
  }

  /** Exactly {@code count} floats in [-1, 1), at an address that is only element-aligned. */
  static MemorySegment random(Arena arena, Random random, long count) {
    MemorySegment segment = floats(arena, count);
    for (long i = 0; i < count; i++) {
      segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat() * 2 - 1);
    }
    return segment;
  }

  static MemorySegment floats(Arena arena, long count) {
    return arena.allocate(count * 4 + 4, 64).asSlice(4, count * 4);
  }

  static MemorySegment ints(Arena arena, int... values) {
    MemorySegment segment = arena.allocate(values.length * 4L + 4, 64).asSlice(4);
    MemorySegment.copy(values, 0, segment, ValueLayout.JAVA_INT, 0, values.length);
    return segment;
  }

  static MemorySegment longs(Arena arena, long... values) {
    return arena.allocateFrom(ValueLayout.JAVA_LONG, values);
  }

  static MemorySegment ids(Arena arena, Random random, int count, int limit) {
    return ints(arena, random.ints(count, 0, limit).toArray());
  }

  /** Row numbers in random order. */
  static MemorySegment order(Arena arena, Random random, int rows) {
    List<Integer> order = new ArrayList<>(IntStream.range(0, rows).boxed().toList());
    Collections.shuffle(order, random);
    return ints(arena, order.stream().mapToInt(row -> row).toArray());
  }

  /** Where each of {@code parts} parts of {@code total} begins, some of them empty. */
  static MemorySegment offsets(Arena arena, Random random, int parts, int total) {
    int[] offsets = random.ints(parts + 1, 0, total + 1).sorted().toArray();
    offsets[0] = 0;
    offsets[parts] = total;
    return ints(arena, offsets);
  }

  static float[] toArray(MemorySegment segment) {
    return segment.toArray(ValueLayout.JAVA_FLOAT);
  }

  /** A kernel call that writes {@code outputs}, which it finds as the test left them. */
  interface Call {
    void run();
  }

  /**
   * Runs the call with the reference kernels and then on every instruction set, from the same state
   * of {@code outputs}, and compares by normalised mean squared error.
   */
  static void assertAgreesWithReference(String what, Call call, MemorySegment... outputs) {
    byte[][] start = bytes(outputs);
    Isa before = Isa.selected();
    try {
      Isa.REF.select();
      call.run();
      float[][] expected = Arrays.stream(outputs).map(Native::toArray).toArray(float[][]::new);
      for (Isa isa : supported()) {
        for (int i = 0; i < outputs.length; i++) {
          MemorySegment.copy(start[i], 0, outputs[i], ValueLayout.JAVA_BYTE, 0, start[i].length);
        }
        isa.select();
        call.run();
        for (int i = 0; i < outputs.length; i++) {
          assertClose(isa + " " + what + ", output " + i, toArray(outputs[i]), expected[i]);
        }
      }
    } finally {
      before.select();
    }
  }

  static void assertClose(String what, float[] actual, float[] expected) {
    double error = 0;
    double scale = 0;
    for (int i = 0; i < expected.length; i++) {
      if (Float.compare(actual[i], expected[i]) != 0) {
        double difference = (double) actual[i] - expected[i];
        error += difference * difference;
      }
      scale += (double) expected[i] * expected[i];
    }
    // Inputs are about 1: a result that cancels may be wrong by a few units of float precision.
    assertThat(error)
        .as("error of %s", what)
        .isLessThanOrEqualTo(1e-10 * scale + 1e-12 * expected.length);
  }

  private static byte[][] bytes(MemorySegment[] segments) {
    return Arrays.stream(segments)
        .map(segment -> segment.toArray(ValueLayout.JAVA_BYTE))
        .toArray(byte[][]::new);
  }
}
