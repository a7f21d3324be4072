package org.llm4msr.bindings.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Every kernel beside matmul, on every instruction set of this machine, against its reference. */
class KernelsTest {
  private static final int[] SIZES = {0, 1, 2, 5, 8, 9, 16, 17, 31, 33, 64, 97};
  private static final int ROUNDS = 40;
  private static CpuPool pool;

  private final Random random = new Random(7);

  @BeforeAll
  static void openPool() {
    pool = new CpuPool(2);
  }

  @AfterAll
  static void closePool() {
    pool.close();
  }

  private int size() {
    return SIZES[random.nextInt(SIZES.length)];
  }

  private Activation activation() {
    return Activation.values()[random.nextInt(Activation.values().length)];
  }

  private interface Body {
    void run(Arena arena, int rows, int width);
  }

  private void rounds(Body body) {
    for (int i = 0; i < ROUNDS; i++) {
      try (Arena arena = Arena.ofConfined()) {
        body.run(arena, size(), size());
      }
    }
    try (Arena arena = Arena.ofConfined()) {
      body.run(arena, 1100, 130);
    }
  }

  private MemorySegment floats(Arena arena, long count) {
    return Native.random(arena, random, count);
  }

  private MemorySegment positive(Arena arena, long count) {
    MemorySegment segment = floats(arena, count);
    for (long i = 0; i < count; i++) {
      float value = segment.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, value * value + 0.1f);
    }
    return segment;
  }

  @Test
  void rowsThatGoPastTheCaches() {
    int rows = 8070;
    int width = 1040;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment x = floats(arena, (long) rows * width);
      MemorySegment weight = floats(arena, width);
      MemorySegment normed = arena.allocate(x.byteSize(), 64);
      MemorySegment probabilities = arena.allocate(x.byteSize(), 64);
      Native.assertAgreesWithReference(
          "%d x %d".formatted(rows, width),
          () -> {
            Norms.rmsNorm(pool, rows, width, x, weight, 1e-6, normed);
            Norms.softmax(pool, rows, width, x, probabilities);
          },
          normed,
          probabilities);
    }
  }

  @Test
  void groupedMatmul() {
    rounds((arena, rows, n) -> {
      int k = Math.max(1, n / 2 + random.nextInt(9));
      int groups = 1 + random.nextInt(9);
      boolean transpose = random.nextBoolean();
      Activation activation = activation();
      MemorySegment x = floats(arena, rows * k);
      MemorySegment w = floats(arena, (long) groups * k * n);
      MemorySegment bias = random.nextBoolean() ? floats(arena, groups * n) : null;
      MemorySegment order = Native.order(arena, random, rows);
      MemorySegment offsets = Native.offsets(arena, random, groups, rows);
      MemorySegment y = floats(arena, rows * n);
      MemorySegment dy = floats(arena, rows * n);
      MemorySegment dw = floats(arena, (long) groups * k * n);
      MemorySegment sum = floats(arena, groups * k);
      Native.assertAgreesWithReference(
          "grouped %d rows, %d x %d in %d groups".formatted(rows, k, n, groups),
          () -> {
            Matrices.groupedMatmul(
                pool, rows, n, k, groups, x, w, transpose, order, offsets, bias, activation, y);
            Matrices.groupedWeightGradient(
                pool, rows, n, k, groups, x, dy, order, offsets, transpose, dw);
            Matrices.groupedSum(pool, rows, k, groups, x, order, offsets, transpose, sum);
          },
          y,
          dw,
          sum);
    });
  }

  @Test
  void tables() {
    rounds((arena, rows, wide) -> {
      int width = wide + 1;
      int vocabulary = 1 + random.nextInt(40);
      MemorySegment ids = Native.ids(arena, random, rows * 2, vocabulary);
      MemorySegment table = floats(arena, vocabulary * width);
      MemorySegment other = floats(arena, vocabulary * 3);
      MemorySegment fields = Native.longs(arena, new long[8]);
      Tables.describeField(fields, 0, table, vocabulary, width, 0);
      Tables.describeField(fields, 1, other, vocabulary, 3, width);
      MemorySegment[] both = {table, other};
      int most = Math.min(rows, vocabulary);
      MemorySegment gathered = floats(arena, rows * width);
      MemorySegment joined = floats(arena, rows * (width + 3));
      MemorySegment found = Native.ints(arena, new int[most]);
      MemorySegment distinct = Native.ints(arena, 0);
      MemorySegment values = floats(arena, most * width);
      MemorySegment dense = floats(arena, vocabulary * width);
      Native.assertAgreesWithReference(
          "tables of %d rows, width %d, %d ids".formatted(vocabulary, width, rows),
          () -> {
            Tables.gather(pool, vocabulary, width, table, StoredType.F32, rows, ids, gathered);
            Tables.embeddingConcat(pool, fields, both, rows, ids, joined, width + 3);
            Tables.sparseRowGradient(
                pool, rows, ids, 2, vocabulary, joined, width + 3, width, found, distinct, values);
            Tables.sparseToDense(pool, most, found, distinct, values, vocabulary, width, dense);
          },
          gathered,
          joined,
          found,
          distinct,
          values,
          dense);
    });
  }

  @Test
  void optimisers() {
    rounds((arena, rows, width) -> {
      int size = rows + 1;
      long count = (long) size * width;
      int[] listed = random.ints(size, 0, size).distinct().sorted().toArray();
      boolean lazy = random.nextBoolean();
      MemorySegment p = floats(arena, count);
      MemorySegment m = floats(arena, count);
      MemorySegment v = positive(arena, count);
      MemorySegment g = floats(arena, count);
      MemorySegment list = Native.ints(arena, listed);
      MemorySegment number = Native.ints(arena, listed.length);
      MemorySegment state =
          arena.allocateFrom(ValueLayout.JAVA_DOUBLE, 1e-3, 1 + random.nextInt(5));
      Native.assertAgreesWithReference(
          "adam, lazy %s, %d x %d".formatted(lazy, size, width),
          () -> {
            Optimisers.adam(pool, count, p, m, v, g, state, 0.9, 0.999, 1e-8, 0.01);
            Optimisers.sparseAdam(
                pool,
                size,
                width,
                p,
                m,
                v,
                listed.length,
                list,
                number,
                g,
                state,
                0.9,
                0.999,
                1e-8,
                0.01,
                lazy);
          },
          p,
          m,
          v);
    });
  }

  @Test
  void norms() {
    rounds((arena, rows, width) -> {
      // A narrow row with a small epsilon has a gradient that cancels.
      double epsilon = width < 8 ? 0.1 : 1e-5;
      int groups = 1 + random.nextInt(4);
      boolean training = random.nextBoolean();
      MemorySegment x = floats(arena, rows * width);
      MemorySegment weight = floats(arena, width);
      MemorySegment dy = floats(arena, rows * width);
      MemorySegment[] out = new MemorySegment[8];
      for (int i = 0; i < out.length; i++) {
        out[i] = floats(arena, rows * width);
      }
      MemorySegment dweight = floats(arena, width);
      MemorySegment dbias = floats(arena, width);
      MemorySegment dlayer = floats(arena, width);
      MemorySegment order = Native.order(arena, random, rows);
      MemorySegment offsets = Native.offsets(arena, random, groups, rows);
      MemorySegment[] stats = new MemorySegment[8];
      for (int i = 0; i < stats.length; i++) {
        stats[i] = positive(arena, groups * width);
      }
      Native.assertAgreesWithReference(
          "norms %d x %d".formatted(rows, width),
          () -> {
            Norms.rmsNorm(pool, rows, width, x, weight, epsilon, out[0]);
            Norms.rmsNormGradient(pool, rows, width, x, weight, dy, epsilon, out[1], dweight);
            Norms.layerNorm(pool, rows, width, x, weight, weight, 0.1, out[6]);
            Norms.layerNormGradient(pool, rows, width, x, weight, dy, 0.1, out[7], dlayer, dbias);
            Norms.softmax(pool, rows, width, x, out[2]);
            Norms.softmaxGradient(pool, rows, width, x, dy, out[3]);
            Norms.groupedBatchNorm(
                pool, rows, width, groups, x, order, offsets, stats[0], stats[1], stats[2],
                stats[3], 0.1, 0.1, training, out[4], stats[4], stats[5]);
            Norms.groupedBatchNormGradient(
                pool, rows, width, groups, x, order, offsets, stats[0], stats[1], stats[0], dy,
                training, out[5], stats[6], stats[7]);
          },
          out[0],
          out[1],
          out[2],
          out[3],
          out[4],
          out[5],
          out[6],
          out[7],
          dbias,
          dlayer,
          dweight,
          stats[2],
          stats[3],
          stats[4],
          stats[5],
          stats[6],
          stats[7]);
    });
  }

  @Test
  void attention() {
    for (int i = 0; i < ROUNDS; i++) {
      try (Arena arena = Arena.ofConfined()) {
        attention(arena, random.nextInt(90), 1 + random.nextInt(4), 1 + random.nextInt(20));
      }
    }
    try (Arena arena = Arena.ofConfined()) {
      attention(arena, 600, 2, 16);
    }
  }

  private void attention(Arena arena, int tokens, int sequences, int half) {
    int kvHeads = 1 + random.nextInt(2);
    int heads = kvHeads * (1 + random.nextInt(3));
    int headDim = 2 * half + 2;
    boolean causal = random.nextBoolean();
    boolean interleaved = random.nextBoolean();
    Attention.Mask mask =
        new Attention.Mask(
            random.nextBoolean() ? Long.MAX_VALUE : random.nextInt(30),
            causal ? 0 : Long.MAX_VALUE,
            random.nextBoolean() ? 0 : 3);
    int wide = tokens * heads * headDim;
    int narrow = tokens * kvHeads * headDim;
    MemorySegment q = floats(arena, wide);
    MemorySegment k = floats(arena, narrow);
    MemorySegment v = floats(arena, narrow);
    MemorySegment dout = floats(arena, wide);
    MemorySegment positions = Native.ids(arena, random, tokens, 30_000);
    MemorySegment frequencies = floats(arena, half);
    MemorySegment offsets = Native.offsets(arena, random, sequences, tokens);
    MemorySegment out = floats(arena, wide);
    MemorySegment turned = floats(arena, wide);
    MemorySegment dq = floats(arena, wide);
    MemorySegment dk = floats(arena, narrow);
    MemorySegment dv = floats(arena, narrow);
    Native.assertAgreesWithReference(
        "attention of %d tokens, heads %d/%d x %d".formatted(tokens, heads, kvHeads, headDim),
        () -> {
          Attention.rope(
              pool,
              tokens,
              heads,
              headDim,
              2L * half,
              interleaved,
              causal,
              0.75,
              q,
              positions,
              frequencies,
              turned);
          Attention.attention(
              pool,
              tokens,
              tokens,
              sequences,
              heads,
              kvHeads,
              headDim,
              0.4,
              mask,
              q,
              k,
              v,
              offsets,
              offsets,
              offsets.asSlice(Integer.BYTES),
              out);
          Attention.attentionGradient(
              pool, tokens, sequences, heads, kvHeads, headDim, 0.4, mask, q, k, v, offsets, dout,
              dq, dk, dv);
        },
        turned,
        out,
        dq,
        dk,
        dv);
  }

  @Test
  void elementwise() {
    rounds((arena, rows, width) -> {
      long count = (long) rows * width;
      Activation activation = activation();
      MemorySegment x = floats(arena, count);
      MemorySegment y = positive(arena, count);
      MemorySegment row = positive(arena, width);
      MemorySegment matrix = Native.longs(arena, 1, 1, rows, width);
      MemorySegment vector = Native.longs(arena, 1, 1, 1, width);
      Elementwise.Arithmetic op = Elementwise.Arithmetic.values()[random.nextInt(4)];
      MemorySegment[] out = new MemorySegment[7];
      for (int i = 0; i < out.length; i++) {
        out[i] = floats(arena, count);
      }
      MemorySegment sums = floats(arena, width);
      MemorySegment padded = floats(arena, rows * (width + 5L));
      MemorySegment loss = floats(arena, 1);
      MemorySegment dlogits = floats(arena, count);
      Native.assertAgreesWithReference(
          "elementwise %s %d x %d".formatted(op, rows, width),
          () -> {
            Elementwise.unary(pool, activation, count, x, out[0]);
            Elementwise.unaryGradient(pool, activation, count, x, y, out[1]);
            Elementwise.binary(pool, op, matrix, x, vector, row, out[2]);
            Elementwise.sumTo(pool, matrix, y, vector, sums);
            Elementwise.scale(pool, count, -2, 0.5f, x, out[3]);
            Elementwise.glu(pool, activation, count, x, y, out[4]);
            Elementwise.gluGradient(pool, activation, count, x, y, x, out[5], out[6]);
            Elementwise.padColumns(pool, rows, width, x, 2, padded, width + 5L);
            Elementwise.copyColumns(pool, rows, width, y, width, padded, width + 5L);
            Losses.bceWithLogits(pool, count, x, y, y, loss);
            Losses.bceWithLogitsGradient(pool, count, x, y, null, loss, dlogits);
          },
          out[0],
          out[1],
          out[2],
          out[3],
          out[4],
          out[5],
          out[6],
          sums,
          padded,
          loss,
          dlogits);
    });
  }
}
