package org.llm4msr.bench.ladder;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Locale;
import java.util.SplittableRandom;
import org.llm4msr.bindings.cpu.Activation;
import org.llm4msr.bindings.cpu.CpuPool;
import org.llm4msr.bindings.cpu.Matrices;
import org.llm4msr.bindings.cpu.Panels;
import org.llm4msr.bindings.cpu.StoredType;

/**
 * The layer relu(a w^T + bias), {@code [M, K]} by {@code [N, K]}, step by step from its formula to
 * the kernels that ship. Each step is checked against sums in double before it may be measured.
 */
public final class Ladder implements AutoCloseable {
  /** What is changed, in order; the C steps are for AVX2, the others for the set in use. */
  public enum Step {
    /** The formula, one sum after the other. */
    NAIVE,
    /** A block of weights serves all rows while it lies in the cache. */
    BLOCKED,
    /** Weights are put side by side, so that vectors of sums grow. */
    PACKED,
    /** 6 x 16 sums in registers. */
    TILED,
    /** Bias and activation on those sums. */
    FUSED,
    /** The kernel that ships: packed a, blocks for each cache, equal tiles, prefetched panels. */
    SHIPPED,
    /** Weights packed once, before. */
    PACKED_ONCE;

    boolean isC() {
      return compareTo(FUSED) <= 0;
    }
  }

  public static final int M = 128;
  public static final int K = 896;
  public static final int N = 4864;
  public static final double FLOPS = 2.0 * M * N * K;
  public static final double BYTES =
      Float.BYTES * ((double) M * K + (double) K * N + (double) M * N);

  private static final int PANEL = 16;
  private static final FunctionDescriptor TYPE =
      FunctionDescriptor.ofVoid(
          JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS);

  /** Of the largest output, what a sum of K products in F32 may be off. */
  private static final double TOLERANCE = 1e-5;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment a = random((long) M * K, 1);
  private final MemorySegment w = random((long) N * K, 2);
  private final MemorySegment bias = random(N, 3);
  private final MemorySegment c = arena.allocate((long) M * N * Float.BYTES, 64);
  private final MemorySegment work = arena.allocate((long) (N + PANEL) * K * Float.BYTES, 64);
  private final MemorySegment packed = arena.allocate(Panels.bytes(N, K, StoredType.F32), 64);
  private final CpuPool pool;
  private float[] reference;

  /**
   * @param threads of the steps that ship; those in C have one
   */
  public Ladder(int threads) {
    pool = new CpuPool(threads);
    Panels.pack(pool, true, N, K, w, K, StoredType.F32, packed);
  }

  private MemorySegment random(long count, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    MemorySegment values = arena.allocate(count * Float.BYTES, 64);
    for (long i = 0; i < count; i++) {
      values.setAtIndex(JAVA_FLOAT, i, (float) random.nextDouble() - 0.5f);
    }
    return values;
  }

  /**
   * A step that gave the right result once.
   *
   * @throws IllegalStateException if it didn't
   */
  public Runnable checked(Step step) {
    Runnable run = runnable(step);
    c.fill((byte) 0xff);
    run.run();
    if (reference == null) {
      reference = reference();
    }
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < reference.length; i++) {
      largest = Math.max(largest, reference[i]);
      // What is left of the fill is no number, and so is its distance.
      double distance = Math.abs(c.getAtIndex(JAVA_FLOAT, i) - reference[i]);
      difference = distance <= difference ? difference : distance;
    }
    if (!(difference <= TOLERANCE * largest)) {
      throw new IllegalStateException(
          String.format(Locale.ROOT, "%s is off by %g of %g", step, difference, largest));
    }
    return run;
  }

  private float[] reference() {
    float[] x = a.toArray(JAVA_FLOAT);
    float[] weights = w.toArray(JAVA_FLOAT);
    float[] biases = bias.toArray(JAVA_FLOAT);
    float[] y = new float[M * N];
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) {
        double sum = biases[j];
        for (int l = 0; l < K; l++) {
          sum += (double) x[i * K + l] * weights[j * K + l];
        }
        y[i * N + j] = (float) Math.max(sum, 0);
      }
    }
    return y;
  }

  private Runnable runnable(Step step) {
    if (step.isC()) {
      MethodHandle handle =
          NativeBench.function("ladder_" + step.name().toLowerCase(Locale.ROOT), TYPE);
      return () -> {
        try {
          handle.invokeExact((long) M, (long) N, (long) K, a, w, bias, c, work);
        } catch (Throwable e) {
          throw new IllegalStateException(e);
        }
      };
    }
    if (step == Step.PACKED_ONCE) {
      return () ->
          Panels.matmul(
              pool, M, N, K, a, K, packed, StoredType.F32, bias, null, 0, Activation.RELU, c, N);
    }
    return () ->
        Matrices.matmul(
            pool,
            false,
            true,
            M,
            N,
            K,
            a,
            K,
            w,
            K,
            StoredType.F32,
            bias,
            null,
            0,
            Activation.RELU,
            c,
            N);
  }

  @Override
  public void close() {
    pool.close();
    arena.close();
  }
}
