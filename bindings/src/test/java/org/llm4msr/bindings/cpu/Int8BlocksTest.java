package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class Int8BlocksTest {
  private static final int BLOCK = 32;
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

  private static MemorySegment pack(Arena arena, long n, long k, MemorySegment b, StoredType type) {
    MemorySegment packed = arena.allocate(Int8Blocks.bytes(n, k, type), 64);
    Int8Blocks.pack(pool, n, k, b, k, type, packed);
    return packed;
  }

  private static void multiply(
      long m,
      long n,
      long k,
      MemorySegment a,
      MemorySegment packed,
      StoredType type,
      MemorySegment c) {
    Int8Blocks.matmul(pool, m, n, k, a, k, packed, type, null, null, 0, Activation.NONE, c, n);
  }

  /**
   * Whole numbers up to 127 in every block of A and scales of 1 and 2 in B, so that what comes out
   * are the sums of integers themselves: here those of plain Java, with every code that a type has.
   */
  @ParameterizedTest
  @EnumSource(
      value = StoredType.class,
      names = {"Q8_0", "Q4_0"})
  void sumsIntegersExactlyOnEveryInstructionSet(StoredType type) {
    int m = 61;
    int n = 83;
    int blocks = 15;
    int k = blocks * BLOCK;
    Random random = new Random(2);
    int[] a = new int[m * k];
    for (int i = 0; i < a.length; i++) {
      // Many at the ends: there sums of pairs come near 16 bits.
      int end = random.nextBoolean() ? -127 : 127;
      a[i] = i % BLOCK == 0 || random.nextBoolean() ? end : random.nextInt(-127, 128);
    }
    try (Arena arena = Arena.ofConfined()) {
      int bytes = type.blockBytes();
      MemorySegment b = arena.allocate((long) n * blocks * bytes);
      int[] weights = new int[n * k];
      for (int block = 0; block < n * blocks; block++) {
        long at = (long) block * bytes;
        int scale = random.nextInt(1, 3);
        b.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16(scale));
        for (int i = 0; i < bytes - 2; i++) {
          byte code =
              (byte) (random.nextInt(4) == 0 ? random.nextBoolean() ? -128 : -1 : random.nextInt());
          b.set(ValueLayout.JAVA_BYTE, at + 2 + i, code);
          if (type == StoredType.Q8_0) {
            weights[block * BLOCK + i] = scale * code;
          } else {
            weights[block * BLOCK + i] = scale * ((code & 15) - 8);
            weights[block * BLOCK + BLOCK / 2 + i] = scale * ((code >> 4 & 15) - 8);
          }
        }
      }
      float[] expected = new float[m * n];
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          int sum = 0;
          for (int p = 0; p < k; p++) {
            sum += a[i * k + p] * weights[j * k + p];
          }
          // Below 2^24: a float holds it, and all sums on the way.
          expected[i * n + j] = sum;
        }
      }
      MemorySegment left = Native.floats(arena, a.length);
      for (int i = 0; i < a.length; i++) {
        left.setAtIndex(ValueLayout.JAVA_FLOAT, i, a[i]);
      }
      for (Isa isa : Isa.values()) {
        if (isa.isSupported()) {
          isa.select();
          for (int rows : new int[] {1, 2, 3, 4, m}) {
            MemorySegment c = Native.floats(arena, (long) rows * n);
            multiply(rows, n, k, left, pack(arena, n, k, b, type), type, c);
            assertThat(Native.toArray(c))
                .as("%s, %d rows", isa, rows)
                .isEqualTo(Arrays.copyOf(expected, rows * n));
          }
        }
      }
    }
  }

  /** Halves go to the even neighbour; what is not finite spoils its row only. */
  @Test
  void roundsAndPassesOnWhatIsNotFinite() {
    StoredType type = StoredType.Q8_0;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment a = Native.floats(arena, 4 * BLOCK);
      float[][] rows = {
        {127, 2.5f, 3.5f, -126.5f}, {1, Float.POSITIVE_INFINITY}, {0, 1e-40f}, {1, 1, Float.NaN}
      };
      for (int i = 0; i < rows.length; i++) {
        for (int p = 0; p < rows[i].length; p++) {
          a.setAtIndex(ValueLayout.JAVA_FLOAT, (long) i * BLOCK + p, rows[i][p]);
        }
      }
      MemorySegment b = arena.allocate(type.blockBytes());
      b.set(ValueLayout.JAVA_SHORT_UNALIGNED, 0, Float.floatToFloat16(1));
      for (int p = 0; p < BLOCK; p++) {
        b.set(ValueLayout.JAVA_BYTE, 2 + p, (byte) 1);
      }
      for (Isa isa : Isa.values()) {
        if (isa.isSupported()) {
          isa.select();
          MemorySegment c = Native.floats(arena, 4);
          multiply(4, 1, BLOCK, a, pack(arena, 1, BLOCK, b, type), type, c);
          // 127 + 2 + 4 - 126.
          assertThat(Native.toArray(c)).as("%s", isa).containsExactly(7, Float.NaN, 0, Float.NaN);
        }
      }
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    StoredType type = StoredType.Q4_0;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment a = Native.random(arena, new Random(3), 4 * 64);
      MemorySegment b = arena.allocate(30L * 2 * type.blockBytes());
      MemorySegment c = Native.floats(arena, 4 * 64);
      MemorySegment packed = pack(arena, 30, 64, b, type);
      assertThatThrownBy(() -> multiply(4, 64, 32, a, packed, type, c))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(
              () -> multiply(4, 30, 64, a, packed.asSlice(0, packed.byteSize() - 1), type, c))
          .hasMessageContaining("packed has");
      assertThatThrownBy(() -> multiply(4, 30, 64, a, packed, StoredType.Q8_0, c))
          .hasMessage("packed does not hold panels of blocks of Q8_0");
      assertThatThrownBy(() -> Int8Blocks.bytes(1, 64, StoredType.F16))
          .hasMessage("products of blocks of F16: expected Q8_0, Q4_0, Q4_K or Q6_K");
      assertThatThrownBy(() -> Int8Blocks.bytes(1, 48, type))
          .hasMessage("k is 48: expected whole blocks of 32 for Q4_0");
      Set<Isa> alike = EnumSet.of(Isa.AVX512_VNNI, Isa.AVX512_BF16, Isa.AVX512_AMX);
      for (Isa isa : Isa.values()) {
        boolean sameForm = isa == CHOSEN || alike.contains(isa) && alike.contains(CHOSEN);
        if (isa.isSupported() && !sameForm) {
          isa.select();
          assertThatThrownBy(() -> multiply(4, 30, 64, a, packed, type, c))
              .isInstanceOf(IllegalArgumentException.class);
        }
      }
    }
  }
}
