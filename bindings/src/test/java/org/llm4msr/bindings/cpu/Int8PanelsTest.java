package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class Int8PanelsTest {
  private static final long[] SIZES = {0, 1, 2, 3, 5, 8, 14, 15, 17, 31, 32, 33, 65, 131};
  private static final Isa CHOSEN = Isa.selected();
  private static CpuPool pool;

  @BeforeAll
  static void openPool() {
    pool = new CpuPool(2);
  }

  @AfterAll
  static void closePool() {
    pool.close();
  }

  @AfterEach
  void selectAgain() {
    CHOSEN.select();
  }

  private static MemorySegment pack(
      Arena arena, boolean transposeB, long n, long k, MemorySegment b, StoredType type) {
    MemorySegment packed = arena.allocate(Int8Panels.bytes(n, k), 64);
    Int8Panels.pack(pool, transposeB, n, k, b, transposeB ? k : n, type, packed);
    return packed;
  }

  private static void multiply(
      long m, long n, long k, MemorySegment a, MemorySegment packed, MemorySegment c) {
    Int8Panels.matmul(pool, m, n, k, a, k, packed, null, null, 0, Activation.NONE, c, n);
  }

  @Test
  void agreesWithReferenceOnRandomShapes() {
    Random random = new Random(1);
    for (int i = 0; i < 200; i++) {
      product(random, size(random), size(random), size(random));
    }
    product(random, 700, 67, 131);
    product(random, 40, 150, 4099);
    product(random, 1, 1100, 517);
    product(random, 300, 33, 3001);
  }

  private static long size(Random random) {
    return SIZES[random.nextInt(SIZES.length)];
  }

  private static void product(Random random, long m, long n, long inner) {
    StoredType type = StoredType.values()[random.nextInt(StoredType.values().length)];
    long k = Math.ceilDiv(inner, type.blockSize()) * type.blockSize();
    boolean transposeB = type.blockSize() > 1 || random.nextBoolean();
    Activation activation = Activation.values()[random.nextInt(Activation.values().length)];
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment a = Native.random(arena, random, m * k);
      MemorySegment b = MatricesTest.stored(arena, random, n * k, type);
      MemorySegment bias = random.nextBoolean() ? Native.random(arena, random, n) : null;
      MemorySegment c = Native.random(arena, random, m * n);
      MemorySegment other = random.nextBoolean() ? c : Native.random(arena, random, m * n);
      MemorySegment residual = random.nextBoolean() ? other : null;
      Native.assertAgreesWithReference(
          m + "x" + k + "x" + n + " " + type + " " + activation,
          () -> {
            MemorySegment packed = pack(arena, transposeB, n, k, b, type);
            Int8Panels.matmul(pool, m, n, k, a, k, packed, bias, residual, n, activation, c, n);
          },
          c);
    }
  }

  /**
   * Integers over a range of 255 in each row and up to 127 in each column, so that all scales are
   * 1: what comes out is the integer sums themselves, here those of plain Java.
   */
  @Test
  void sumsIntegersExactlyOnEveryInstructionSet() {
    int m = 61;
    int n = 83;
    int k = 501;
    Random random = new Random(2);
    int[][] a = new int[m][];
    for (int i = 0; i < m; i++) {
      // Zero points from 0 to 255.
      int low = -255 * i / (m - 1);
      a[i] = integers(random, low, low + 255, k);
    }
    int[][] b = new int[n][];
    for (int j = 0; j < n; j++) {
      b[j] = integers(random, -127, 127, k);
    }
    float[] expected = new float[m * n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        int sum = 0;
        for (int p = 0; p < k; p++) {
          sum += a[i][p] * b[j][p];
        }
        // Below 2^24: a float holds it.
        expected[i * n + j] = sum;
      }
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment left = floats(arena, a);
      MemorySegment right = floats(arena, b);
      for (Isa isa : Isa.values()) {
        if (isa.isSupported()) {
          isa.select();
          MemorySegment c = Native.floats(arena, (long) m * n);
          multiply(m, n, k, left, pack(arena, true, n, k, right, StoredType.F32), c);
          assertThat(Native.toArray(c)).as("%s", isa).isEqualTo(expected);
        }
      }
    }
  }

  /** Half of them at the ends: there products of pairs would overflow 16 bits. */
  private static int[] integers(Random random, int low, int high, int count) {
    int[] result = new int[count];
    for (int p = 0; p < count; p++) {
      int end = random.nextBoolean() ? low : high;
      result[p] = random.nextBoolean() ? end : random.nextInt(low, high + 1);
    }
    result[0] = low;
    result[count - 1] = high;
    return result;
  }

  private static MemorySegment floats(Arena arena, int[][] values) {
    MemorySegment segment = Native.floats(arena, (long) values.length * values[0].length);
    for (int i = 0; i < values.length; i++) {
      for (int p = 0; p < values[i].length; p++) {
        segment.setAtIndex(ValueLayout.JAVA_FLOAT, (long) i * values[i].length + p, values[i][p]);
      }
    }
    return segment;
  }

  /** Halves go to the even neighbour; what is not finite spoils its row or column only. */
  @Test
  void roundsAndPassesOnWhatIsNotFinite() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment a = Native.floats(arena, 4 * 4);
      float[] rows = {
        127, 2.5f, 3.5f, -128, Float.POSITIVE_INFINITY, 1, 1, 1, 1e-40f, 0, 0, 0, 0, 0, 0, 0
      };
      MemorySegment.copy(rows, 0, a, ValueLayout.JAVA_FLOAT, 0, rows.length);
      MemorySegment b = Native.floats(arena, 4 * 2);
      float[] columns = {1, 1, 1, 1, Float.NaN, 1, 1, 1};
      MemorySegment.copy(columns, 0, b, ValueLayout.JAVA_FLOAT, 0, columns.length);
      for (Isa isa : Isa.values()) {
        if (isa.isSupported()) {
          isa.select();
          MemorySegment c = Native.floats(arena, 4 * 2);
          multiply(4, 2, 4, a, pack(arena, true, 2, 4, b, StoredType.F32), c);
          // 127 + 2 + 4 - 128, each times 127 / 127.
          float[] actual = Native.toArray(c);
          assertThat(actual[0]).as("%s", isa).isCloseTo(5, within(1e-5f));
          assertThat(actual[4]).as("%s", isa).isZero();
          assertThat(actual[6]).as("%s", isa).isZero();
          for (int bad : new int[] {1, 2, 3, 5, 7}) {
            assertThat(actual[bad]).as("%s, %d", isa, bad).isNaN();
          }
        }
      }
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment a = Native.random(arena, new Random(3), 4 * 40);
      MemorySegment b = Native.random(arena, new Random(4), 30 * 40);
      MemorySegment c = Native.floats(arena, 4 * 40);
      MemorySegment packed = pack(arena, true, 30, 40, b, StoredType.F32);
      assertThatThrownBy(() -> multiply(4, 40, 30, a, packed, c))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> multiply(4, 30, 40, a, packed.asSlice(0, packed.byteSize() - 1), c))
          .hasMessageContaining("packed has");
      assertThatThrownBy(() -> multiply(4, 30, 40, a, arena.allocate(packed.byteSize(), 64), c))
          .hasMessage("packed does not hold panels of 8-bit integers");
      assertThatThrownBy(() -> Int8Panels.bytes(1, Int8Panels.MAX_K + 1))
          .hasMessageContaining("may not fit into 32 bits");
      assertThatThrownBy(() -> pack(arena, false, 32, 32, b, StoredType.Q8_0))
          .hasMessage("b is Q8_0 and must be transposed");
      Set<Isa> alike = EnumSet.of(Isa.AVX512_VNNI, Isa.AVX512_BF16, Isa.AVX512_AMX);
      for (Isa isa : Isa.values()) {
        boolean sameForm = isa == CHOSEN || alike.contains(isa) && alike.contains(CHOSEN);
        if (isa.isSupported() && !sameForm) {
          isa.select();
          assertThatThrownBy(() -> multiply(4, 30, 40, a, packed, c))
              .isInstanceOf(IllegalArgumentException.class);
        }
      }
    }
  }
}
