package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class MatricesTest {
  private static final long[] SIZES = {0, 1, 2, 3, 5, 8, 9, 13, 16, 17, 31, 33, 64, 65, 130};
  private static CpuPool pool;

  @BeforeAll
  static void openPool() {
    pool = new CpuPool(2);
  }

  @AfterAll
  static void closePool() {
    pool.close();
  }

  @Test
  void matmulAgreesWithReferenceOnRandomShapes() {
    Random random = new Random(1);
    for (int i = 0; i < 400; i++) {
      matmul(random, size(random), size(random), size(random));
    }
    matmul(random, 700, 67, 131);
    matmul(random, 40, 150, 1537);
    matmul(random, 5, 1100, 517);
    matmul(random, 2100, 1, 64);
  }

  private static long size(Random random) {
    return SIZES[random.nextInt(SIZES.length)];
  }

  private static void matmul(Random random, long m, long n, long k) {
    boolean transposeA = random.nextBoolean();
    boolean transposeB = random.nextBoolean();
    StoredType type = StoredType.values()[random.nextInt(3)];
    Activation activation = Activation.values()[random.nextInt(5)];
    long pad = random.nextInt(3);
    long lda = (transposeA ? m : k) + pad;
    long ldb = (transposeB ? k : n) + pad;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment a = Native.random(arena, random, (transposeA ? k : m) * lda);
      MemorySegment b = stored(arena, random, (transposeB ? n : k) * ldb, type);
      MemorySegment bias = random.nextBoolean() ? Native.random(arena, random, n) : null;
      MemorySegment residual =
          random.nextBoolean() ? Native.random(arena, random, m * (n + 1)) : null;
      MemorySegment c = Native.random(arena, random, m * (n + pad));
      Native.assertAgreesWithReference(
          "%s%s %d x %d x %d".formatted(transposeA, transposeB, m, n, k),
          () ->
              Matrices.matmul(
                  pool,
                  transposeA,
                  transposeB,
                  m,
                  n,
                  k,
                  a,
                  lda,
                  b,
                  ldb,
                  type,
                  bias,
                  residual,
                  n + 1,
                  activation,
                  c,
                  n + pad),
          c);
    }
  }

  static MemorySegment stored(Arena arena, Random random, long count, StoredType type) {
    MemorySegment floats = Native.random(arena, random, count);
    if (type == StoredType.F32) {
      return floats;
    }
    MemorySegment halves = arena.allocate(count * 2 + 2, 64).asSlice(2);
    for (long i = 0; i < count; i++) {
      float value = floats.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      int bits =
          type == StoredType.F16
              ? Float.floatToFloat16(value)
              : Float.floatToRawIntBits(value) >> 16;
      halves.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) bits);
    }
    return halves;
  }

  @Test
  void referenceMatmulAgreesWithDoubles() {
    float[] a = {1, 2, 3, 4, 5, 6};
    float[] b = {1, -1, 0.5f, 2, 3, -2};
    try (Arena arena = Arena.ofConfined()) {
      Isa before = Isa.selected();
      Isa.REF.select();
      MemorySegment c = Native.floats(arena, 4);
      Matrices.matmul(
          pool,
          false,
          false,
          2,
          2,
          3,
          arena.allocateFrom(ValueLayout.JAVA_FLOAT, a),
          3,
          arena.allocateFrom(ValueLayout.JAVA_FLOAT, b),
          2,
          StoredType.F32,
          null,
          null,
          0,
          Activation.NONE,
          c,
          2);
      before.select();
      assertThat(Native.toArray(c)).containsExactly(11, -3, 24.5f, -6);
    }
  }

  @Test
  void sameBitsForAnyNumberOfThreads() {
    Random random = new Random(2);
    try (Arena arena = Arena.ofConfined();
        CpuPool one = new CpuPool(1);
        CpuPool three = new CpuPool(3)) {
      long m = 300;
      long n = 200;
      long k = 700;
      MemorySegment a = Native.random(arena, random, m * k);
      MemorySegment b = Native.random(arena, random, k * n);
      MemorySegment c1 = Native.floats(arena, m * n);
      MemorySegment c3 = Native.floats(arena, m * n);
      plain(one, m, n, k, a, b, c1);
      plain(three, m, n, k, a, b, c3);
      assertThat(Native.toArray(c1)).isEqualTo(Native.toArray(c3));
    }
  }

  private static void plain(
      CpuPool pool, long m, long n, long k, MemorySegment a, MemorySegment b, MemorySegment c) {
    Matrices.matmul(
        pool,
        false,
        false,
        m,
        n,
        k,
        a,
        k,
        b,
        n,
        StoredType.F32,
        null,
        null,
        0,
        Activation.NONE,
        c,
        n);
  }

  @Test
  void namesTheArgumentThatDoesNotFit() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment four = Native.floats(arena, 4);
      MemorySegment three = Native.floats(arena, 3);
      assertThatThrownBy(() -> plain(pool, 2, 2, 2, three, four, four))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("a needs 16 bytes, but has 12");
      assertThatThrownBy(() -> plain(pool, 2, 2, 2, four, four, four.asSlice(2)))
          .hasMessage("c needs 16 bytes, but has 14");
      assertThatThrownBy(
              () -> plain(pool, 2, 2, 2, four, MemorySegment.ofArray(new float[4]), four))
          .hasMessage("b must be native memory, not on the heap");
      assertThatThrownBy(() -> plain(pool, 2, 1, 1, four, four.asSlice(1), four))
          .hasMessageContaining("b is not aligned");
      assertThatThrownBy(() -> plain(pool, -1, 1, 1, four, four, four))
          .hasMessage("the rows of a must not be negative, but is -1");
      assertThatThrownBy(() -> plain(pool, Long.MAX_VALUE / 2, 1, 8, four, four, four))
          .isInstanceOf(ArithmeticException.class);
    }
  }

  @Test
  void refusesAClosedPool() {
    CpuPool closed = new CpuPool(2);
    closed.close();
    closed.close();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment four = Native.floats(arena, 4);
      assertThatThrownBy(() -> plain(closed, 2, 2, 2, four, four, four))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the thread pool is closed");
    }
  }
}
