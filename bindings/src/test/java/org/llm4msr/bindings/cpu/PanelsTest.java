package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PanelsTest {
  private static final long[] SIZES = {0, 1, 2, 5, 8, 15, 16, 17, 31, 33, 64, 65, 130};
  private static CpuPool pool;

  @BeforeAll
  static void openPool() {
    pool = new CpuPool(2);
  }

  @AfterAll
  static void closePool() {
    pool.close();
  }

  /** One product, its operands in memory that is only element-aligned. */
  private record Product(
      boolean transposeB,
      long m,
      long n,
      long k,
      StoredType type,
      MemorySegment a,
      MemorySegment b,
      MemorySegment bias,
      MemorySegment residual,
      Activation activation,
      MemorySegment c) {
    static Product random(Arena arena, Random random, long m, long n, long k) {
      StoredType type = StoredType.values()[random.nextInt(3)];
      return new Product(
          random.nextBoolean(),
          m,
          n,
          k,
          type,
          Native.random(arena, random, m * k),
          MatricesTest.stored(arena, random, n * k, type),
          random.nextBoolean() ? Native.random(arena, random, n) : null,
          random.nextBoolean() ? Native.random(arena, random, m * n) : null,
          Activation.values()[random.nextInt(Activation.values().length)],
          Native.random(arena, random, m * n));
    }

    MemorySegment pack(Arena arena) {
      MemorySegment packed = arena.allocate(Panels.bytes(n, k, type), 64);
      Panels.pack(pool, transposeB, n, k, b, transposeB ? k : n, type, packed);
      return packed;
    }

    void run(MemorySegment packed, MemorySegment out) {
      Panels.matmul(pool, m, n, k, a, k, packed, type, bias, residual, n, activation, out, n);
    }

    void runUnpacked(MemorySegment out) {
      long ldb = transposeB ? k : n;
      Matrices.matmul(
          pool,
          false,
          transposeB,
          m,
          n,
          k,
          a,
          k,
          b,
          ldb,
          type,
          bias,
          residual,
          n,
          activation,
          out,
          n);
    }
  }

  @Test
  void agreesWithReferenceOnRandomShapes() {
    Random random = new Random(1);
    for (int i = 0; i < 200; i++) {
      product(random, size(random), size(random), size(random));
    }
    product(random, 700, 67, 131);
    product(random, 40, 150, 1537);
    product(random, 1, 1100, 517);
  }

  private static long size(Random random) {
    return SIZES[random.nextInt(SIZES.length)];
  }

  private static void product(Random random, long m, long n, long k) {
    try (Arena arena = Arena.ofConfined()) {
      Product product = Product.random(arena, random, m, n, k);
      Native.assertAgreesWithReference(
          product.toString(), () -> product.run(product.pack(arena), product.c), product.c);
    }
  }

  @Test
  void givesTheBitsOfTheUnpackedProduct() {
    Random random = new Random(2);
    Isa before = Isa.selected();
    long[][] shapes = {{9, 40, 30}, {200, 96, 700}, {511, 130, 64}, {128, 1100, 1030}};
    try (Arena arena = Arena.ofConfined()) {
      for (long[] shape : shapes) {
        Product product = Product.random(arena, random, shape[0], shape[1], shape[2]);
        for (Isa isa : Native.supported()) {
          isa.select();
          MemorySegment expected = Native.floats(arena, shape[0] * shape[1]);
          MemorySegment actual = Native.floats(arena, shape[0] * shape[1]);
          product.runUnpacked(expected);
          product.run(product.pack(arena), actual);
          assertThat(Native.toArray(actual))
              .as("%s %s", isa, product)
              .isEqualTo(Native.toArray(expected));
        }
      }
    } finally {
      before.select();
    }
  }

  @Test
  void fewRowsHaveTheBitsOfTheSameRowsAmongMany() {
    Random random = new Random(4);
    Isa before = Isa.selected();
    long n = 1107;
    long k = 1030;
    try (Arena arena = Arena.ofConfined()) {
      for (StoredType type : List.of(StoredType.F32, StoredType.BF16, StoredType.F16)) {
        Product many =
            new Product(
                true,
                60,
                n,
                k,
                type,
                Native.random(arena, random, 60 * k),
                MatricesTest.stored(arena, random, n * k, type),
                Native.random(arena, random, n),
                Native.random(arena, random, 60 * n),
                Activation.SILU,
                Native.floats(arena, 60 * n));
        for (Isa isa : Native.supported()) {
          isa.select();
          MemorySegment packed = many.pack(arena);
          many.run(packed, many.c);
          for (long m = 1; m <= 15; m++) {
            MemorySegment few = Native.floats(arena, m * n);
            Panels.matmul(
                pool,
                m,
                n,
                k,
                many.a,
                k,
                packed,
                type,
                many.bias,
                many.residual,
                n,
                many.activation,
                few,
                n);
            assertThat(Native.toArray(few))
                .as("%s %s, %d rows", isa, type, m)
                .isEqualTo(Native.toArray(many.c.asSlice(0, m * n * Float.BYTES)));
          }
        }
      }
    } finally {
      before.select();
    }
  }

  @Test
  void refusesWhatWasPackedOtherwise() {
    Isa before = Isa.selected();
    try (Arena arena = Arena.ofConfined()) {
      Product product = Product.random(arena, new Random(3), 4, 40, 30);
      MemorySegment packed = product.pack(arena);
      assertThatThrownBy(() ->
              Panels.matmul(
                  pool,
                  4,
                  30,
                  40,
                  product.a,
                  40,
                  packed,
                  product.type,
                  null,
                  null,
                  0,
                  Activation.NONE,
                  product.c,
                  30))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> product.run(packed.asSlice(0, packed.byteSize() - 1), product.c))
          .hasMessageContaining("packed has");
      assertThatThrownBy(() -> product.run(arena.allocate(packed.byteSize(), 64), product.c))
          .hasMessage("packed does not hold panels");
      assertThatThrownBy(() -> Panels.bytes(32, 32, StoredType.Q8_0))
          .hasMessage("panels of Q8_0: expected F32, BF16 or F16");
      (before == Isa.REF ? Isa.BASE : Isa.REF).select();
      assertThatThrownBy(() -> product.run(packed, product.c))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("matmulPanels: bad argument");
    } finally {
      before.select();
    }
  }
}
