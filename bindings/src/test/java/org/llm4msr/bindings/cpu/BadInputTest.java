package org.llm4msr.bindings.cpu;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Shapes that do not fit and indices out of range are refused, never followed. */
class BadInputTest {
  private static final Attention.Mask ALL = new Attention.Mask(Long.MAX_VALUE, 0, 0);

  private Arena arena;
  private CpuPool pool;
  private MemorySegment floats;

  @BeforeEach
  void open() {
    arena = Arena.ofConfined();
    pool = new CpuPool(1);
    floats = Native.floats(arena, 40);
  }

  @AfterEach
  void close() {
    pool.close();
    arena.close();
  }

  private static void refused(Native.Call call, String message) {
    assertThatThrownBy(call::run)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  @Test
  void namesTheIdThatIsOutOfRange() {
    MemorySegment ids = Native.ints(arena, 0, 7, 1);
    refused(
        () -> Tables.gather(pool, 5, 2, floats, StoredType.F32, 3, ids, floats),
        "gather: id 7 at 1 is outside a table of 5 rows");
    MemorySegment rows = Native.ints(arena, 0, 0, 0);
    refused(
        () -> Tables.sparseRowGradient(pool, 3, ids, 1, 5, floats, 2, 2, rows, rows, floats),
        "sparseRowGradient: id 7 at 1");
    MemorySegment fields = Native.longs(arena, new long[4]);
    Tables.describeField(fields, 0, floats, 5, 2, 0);
    MemorySegment[] tables = {floats};
    refused(
        () -> Tables.embeddingConcat(pool, fields, tables, 3, ids, floats, 2),
        "embeddingConcat: id 7 at 1");
  }

  @Test
  void refusesRowsAndOffsetsOutOfRange() {
    MemorySegment order = Native.ints(arena, 0, 1, 3);
    MemorySegment offsets = Native.ints(arena, 0, 2, 3);
    refused(
        () -> Matrices.groupedSum(pool, 3, 2, 2, floats, order, offsets, false, floats),
        "groupedSum");
    MemorySegment falling = Native.ints(arena, 0, 5, 3);
    refused(
        () ->
            Attention.attention(
                pool, 3, 3, 2, 1, 1, 2, 1, ALL, floats, floats, floats, falling, falling, falling,
                floats),
        "attention");
    MemorySegment twice = Native.ints(arena, 1, 1);
    MemorySegment two = Native.ints(arena, 2);
    refused(() -> Tables.sparseToDense(pool, 2, twice, two, floats, 5, 2, floats), "sparseToDense");
  }

  @Test
  void refusesListsThatAreTooShort() {
    refused(
        () -> Attention.pooling(pool, 4, 3, 4, floats, floats, floats, floats, floats),
        "x needs 192 bytes, but has 160");
    refused(
        () -> Attention.pooling(pool, 1, 41, 0, floats, floats, floats, floats, floats),
        "present needs 164 bytes");
    MemorySegment few = Native.floats(arena, 11);
    refused(
        () ->
            Attention.poolingGradient(
                pool, 2, 3, 2, floats, floats, floats, floats, floats, floats, few),
        "dx needs 48 bytes");
  }

  @Test
  void refusesATableThatWasClosed() {
    MemorySegment fields = Native.longs(arena, new long[4]);
    MemorySegment ids = Native.ints(arena, 0);
    MemorySegment[] tables = new MemorySegment[1];
    try (Arena shorter = Arena.ofConfined()) {
      tables[0] = Native.floats(shorter, 10);
      Tables.describeField(fields, 0, tables[0], 5, 2, 0);
    }
    refused(
        () -> Tables.embeddingConcat(pool, fields, tables, 1, ids, floats, 2),
        "table 0 is not the one described");
  }

  @Test
  void refusesQuantisedMatricesThatDoNotFit() {
    MemorySegment blocks = arena.allocate(34 * 2 - 1);
    refused(() -> multiply(32, blocks, 32, true), "b needs 68 bytes");
    refused(() -> multiply(32, blocks, 40, true), "multiples of 32");
    refused(() -> multiply(20, blocks, 32, true), "multiples of 32");
    refused(() -> multiply(0, arena.allocate(34), 32, false), "must be transposed");
    MemorySegment ids = Native.ints(arena, 0);
    refused(
        () -> Tables.gather(pool, 2, 32, blocks, StoredType.Q8_0, 1, ids, floats),
        "table needs 68 bytes");
  }

  /** One row of k values times two of Q8_0. */
  private void multiply(long k, MemorySegment b, long ldb, boolean transposeB) {
    Matrices.matmul(
        pool,
        false,
        transposeB,
        1,
        transposeB ? 2 : 32,
        k,
        floats,
        k,
        b,
        ldb,
        StoredType.Q8_0,
        null,
        null,
        2,
        Activation.NONE,
        floats,
        32);
  }

  @Test
  void refusesShapesThatDoNotFit() {
    refused(() -> Norms.rmsNorm(pool, 30, 2, floats, floats, 1e-5, floats), "x needs 240 bytes");
    refused(() -> Elementwise.padColumns(pool, 2, 3, floats, 4, floats, 6), "3 columns from 4");
    refused(
        () ->
            Attention.attention(
                pool, 1, 1, 1, 3, 2, 2, 1, ALL, floats, floats, floats, floats, floats, floats,
                floats),
        "3 heads cannot share 2 key heads");
    MemorySegment dims = Native.longs(arena, 1, 1, 2, 3);
    MemorySegment other = Native.longs(arena, 1, 1, 2, 2);
    refused(
        () ->
            Elementwise.binary(
                pool, Elementwise.Arithmetic.ADD, dims, floats, other, floats, floats),
        "extents 3 and 2 do not fit");
    refused(
        () -> Attention.rope(pool, 1, 1, 4, 3, false, false, 1, floats, floats, floats, floats),
        "rotary must be even");
  }
}
