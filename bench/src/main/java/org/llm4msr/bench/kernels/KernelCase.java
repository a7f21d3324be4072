package org.llm4msr.bench.kernels;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.IntStream;
import org.llm4msr.bindings.cpu.Activation;
import org.llm4msr.bindings.cpu.Attention;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Int8Blocks;
import org.llm4msr.bindings.cpu.Int8Panels;
import org.llm4msr.bindings.cpu.Matrices;
import org.llm4msr.bindings.cpu.Norms;
import org.llm4msr.bindings.cpu.Optimisers;
import org.llm4msr.bindings.cpu.Panels;
import org.llm4msr.bindings.cpu.StoredType;

/**
 * One kernel at one size, with its memory.
 *
 * @param flops operations of one call, two for a multiply-add
 * @param bytes that a call must read or write at least, each operand once
 * @param limit what bounds it
 */
public record KernelCase(Runnable call, double flops, double bytes, Limit limit) {
  /** The machine's rates that a kernel is held against. */
  public enum Limit {
    /** Multiply-adds of floats in registers. */
    FMA,
    /** Multiply-adds of 8-bit integers in registers. */
    INT8,
    /** What comes from memory and goes there. */
    MEMORY
  }

  /**
   * Cases by name: {@code matmul M K N TYPE}, a linear layer with weights {@code [N, K]}; {@code
   * panels M K N TYPE}, the same with weights packed beforehand; {@code int8 M K N}, with packed
   * weights of 8-bit integers; {@code blocks M K N TYPE}, with weights in blocks and activations in
   * 8-bit blocks; {@code gradient M K N}, its weight gradient over M rows; {@code grouped GROUPS
   * ROWS K N}, rows per group; {@code attention SEQUENCES LENGTH HEADS KVHEADS HEADDIM}, causal;
   * {@code rmsnorm ROWS WIDTH}; {@code softmax ROWS WIDTH}; {@code adam COUNT}.
   */
  public static KernelCase of(String name, CpuPool pool, Arena arena) {
    String[] words = name.split(" ");
    long[] n =
        IntStream.range(1, 6)
            .mapToLong(
                i -> i < words.length && words[i].matches("\\d+") ? Long.parseLong(words[i]) : 0)
            .toArray();
    return switch (words[0]) {
      case "matmul" -> matmul(pool, arena, n[0], n[1], n[2], StoredType.valueOf(words[4]));
      case "panels" -> panels(pool, arena, n[0], n[1], n[2], StoredType.valueOf(words[4]));
      case "int8" -> int8(pool, arena, n[0], n[1], n[2]);
      case "blocks" -> blocks(pool, arena, n[0], n[1], n[2], StoredType.valueOf(words[4]));
      case "gradient" -> gradient(pool, arena, n[0], n[1], n[2]);
      case "grouped" -> grouped(pool, arena, n[0], n[1], n[2], n[3]);
      case "attention" -> attention(pool, arena, n[0], n[1], n[2], n[3], n[4]);
      case "rmsnorm" -> rmsNorm(pool, arena, n[0], n[1]);
      case "softmax" -> softmax(pool, arena, n[0], n[1]);
      case "adam" -> adam(pool, arena, n[0]);
      default -> throw new IllegalArgumentException("no kernel case is called '" + name + "'");
    };
  }

  private static MemorySegment floats(Arena arena, long count) {
    MemorySegment segment = arena.allocate(count * Float.BYTES, 64);
    Random random = new Random(count);
    for (long i = 0; i < count; i++) {
      segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat() - 0.5f);
    }
    return segment;
  }

  private static MemorySegment weights(Arena arena, long count, StoredType type) {
    if (type == StoredType.F32) {
      return floats(arena, count);
    }
    MemorySegment segment = arena.allocate(count * type.blockBytes(), 64);
    Random random = new Random(count);
    for (long i = 0; i < count; i++) {
      float value = random.nextFloat() - 0.5f;
      int bits =
          type == StoredType.F16
              ? Float.floatToFloat16(value)
              : Float.floatToRawIntBits(value) >> 16;
      segment.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) bits);
    }
    return segment;
  }

  private static KernelCase matmul(
      CpuPool pool, Arena arena, long m, long k, long n, StoredType type) {
    MemorySegment a = floats(arena, m * k);
    MemorySegment b = weights(arena, n * k, type);
    MemorySegment c = floats(arena, m * n);
    return new KernelCase(
        () ->
            Matrices.matmul(
                pool, false, true, m, n, k, a, k, b, k, type, null, null, 0, Activation.NONE, c, n),
        2.0 * m * n * k,
        linearBytes(m, k, n, type.blockBytes()),
        Limit.FMA);
  }

  private static KernelCase int8(CpuPool pool, Arena arena, long m, long k, long n) {
    MemorySegment a = floats(arena, m * k);
    MemorySegment c = floats(arena, m * n);
    MemorySegment packed = arena.allocate(Int8Panels.bytes(n, k), 64);
    Int8Panels.pack(pool, true, n, k, floats(arena, n * k), k, StoredType.F32, packed);
    return new KernelCase(
        () -> Int8Panels.matmul(pool, m, n, k, a, k, packed, null, null, 0, Activation.NONE, c, n),
        2.0 * m * n * k,
        linearBytes(m, k, n, 1),
        Limit.INT8);
  }

  private static double linearBytes(long m, long k, long n, double weightBytes) {
    return Float.BYTES * (double) (m * k + m * n) + weightBytes * k * n;
  }

  private static KernelCase panels(
      CpuPool pool, Arena arena, long m, long k, long n, StoredType type) {
    MemorySegment a = floats(arena, m * k);
    MemorySegment c = floats(arena, m * n);
    MemorySegment packed = arena.allocate(Panels.bytes(n, k, type), 64);
    Panels.pack(pool, true, n, k, weights(arena, n * k, type), k, type, packed);
    return new KernelCase(
        () ->
            Panels.matmul(pool, m, n, k, a, k, packed, type, null, null, 0, Activation.NONE, c, n),
        2.0 * m * n * k,
        linearBytes(m, k, n, type.blockBytes()),
        Limit.FMA);
  }

  /** Operations are those that the formula needs, divisions and roots counted as one. */
  private static KernelCase rmsNorm(CpuPool pool, Arena arena, long rows, long width) {
    MemorySegment x = floats(arena, rows * width);
    MemorySegment y = floats(arena, rows * width);
    MemorySegment weight = floats(arena, width);
    return new KernelCase(
        () -> Norms.rmsNorm(pool, rows, width, x, weight, 1e-6, y),
        4.0 * rows * width,
        2.0 * Float.BYTES * rows * width,
        Limit.MEMORY);
  }

  private static KernelCase softmax(CpuPool pool, Arena arena, long rows, long width) {
    MemorySegment x = floats(arena, rows * width);
    MemorySegment y = floats(arena, rows * width);
    return new KernelCase(
        () -> Norms.softmax(pool, rows, width, x, y),
        5.0 * rows * width,
        2.0 * Float.BYTES * rows * width,
        Limit.MEMORY);
  }

  private static KernelCase adam(CpuPool pool, Arena arena, long count) {
    MemorySegment p = floats(arena, count);
    MemorySegment m = floats(arena, count);
    MemorySegment v = floats(arena, count).fill((byte) 0);
    MemorySegment g = floats(arena, count);
    MemorySegment state = arena.allocateFrom(ValueLayout.JAVA_DOUBLE, 1e-3, 1);
    // Four arrays are read and three of them written.
    return new KernelCase(
        () -> Optimisers.adam(pool, count, p, m, v, g, state, 0.9, 0.999, 1e-8, 0),
        12.0 * count,
        7.0 * Float.BYTES * count,
        Limit.MEMORY);
  }

  private static KernelCase blocks(
      CpuPool pool, Arena arena, long m, long k, long n, StoredType type) {
    MemorySegment a = floats(arena, m * k);
    MemorySegment c = floats(arena, m * n);
    // Blocks of zeros: speed does not depend on what they hold.
    MemorySegment b = arena.allocate(n * k / type.blockSize() * type.blockBytes());
    MemorySegment packed = arena.allocate(Int8Blocks.bytes(n, k, type), 64);
    Int8Blocks.pack(pool, n, k, b, k, type, packed);
    return new KernelCase(
        () ->
            Int8Blocks.matmul(
                pool, m, n, k, a, k, packed, type, null, null, 0, Activation.NONE, c, n),
        2.0 * m * n * k,
        linearBytes(m, k, n, (double) type.blockBytes() / type.blockSize()),
        Limit.INT8);
  }

  private static KernelCase gradient(CpuPool pool, Arena arena, long m, long k, long n) {
    MemorySegment x = floats(arena, m * k);
    MemorySegment dy = floats(arena, m * n);
    MemorySegment dw = floats(arena, k * n);
    return new KernelCase(
        () ->
            Matrices.matmul(
                pool,
                true,
                false,
                k,
                n,
                m,
                x,
                k,
                dy,
                n,
                StoredType.F32,
                null,
                null,
                0,
                Activation.NONE,
                dw,
                n),
        2.0 * m * n * k,
        linearBytes(m, k, n, Float.BYTES),
        Limit.FMA);
  }

  private static KernelCase grouped(
      CpuPool pool, Arena arena, long groups, long rowsPerGroup, long k, long n) {
    int rows = Math.toIntExact(groups * rowsPerGroup);
    int parts = Math.toIntExact(groups);
    MemorySegment x = floats(arena, rows * k);
    MemorySegment w = floats(arena, groups * k * n);
    MemorySegment y = floats(arena, rows * n);
    MemorySegment order =
        arena.allocateFrom(
            ValueLayout.JAVA_INT,
            IntStream.range(0, rows)
                .map(i -> (int) (i % rowsPerGroup * groups + i / rowsPerGroup))
                .toArray());
    MemorySegment offsets =
        arena.allocateFrom(
            ValueLayout.JAVA_INT,
            IntStream.rangeClosed(0, parts).map(g -> (int) (g * rowsPerGroup)).toArray());
    return new KernelCase(
        () ->
            Matrices.groupedMatmul(
                pool, rows, n, k, groups, x, w, false, order, offsets, null, Activation.NONE, y),
        2.0 * rows * n * k,
        Float.BYTES * (double) (groups * k * n + rows * (k + n)),
        Limit.FMA);
  }

  private static KernelCase attention(
      CpuPool pool,
      Arena arena,
      long sequences,
      long length,
      long heads,
      long kvHeads,
      long headDim) {
    long tokens = sequences * length;
    MemorySegment q = floats(arena, tokens * heads * headDim);
    MemorySegment k = floats(arena, tokens * kvHeads * headDim);
    MemorySegment v = floats(arena, tokens * kvHeads * headDim);
    MemorySegment out = floats(arena, tokens * heads * headDim);
    MemorySegment offsets =
        arena.allocateFrom(
            ValueLayout.JAVA_INT,
            IntStream.rangeClosed(0, (int) sequences).map(s -> (int) (s * length)).toArray());
    // Only what a causal mask leaves counts.
    double pairs = sequences * length * (length + 1) / 2.0;
    return new KernelCase(
        () ->
            Attention.attention(
                pool,
                tokens,
                tokens,
                sequences,
                heads,
                kvHeads,
                headDim,
                0.125,
                new Attention.Mask(Long.MAX_VALUE, 0, 0),
                q,
                k,
                v,
                offsets,
                offsets,
                offsets.asSlice(Integer.BYTES),
                out),
        4.0 * pairs * heads * headDim,
        2.0 * Float.BYTES * tokens * (heads + kvHeads) * headDim,
        Limit.FMA);
  }
}
