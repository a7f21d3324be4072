package org.llm4msr.bench.suite;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.llm4msr.bench.ladder.NativeBench;

/**
 * What memory gives and takes, in the manner of STREAM (McCalpin 1995): passes over arrays that are
 * larger than the caches, by a number of threads at once, in GB/s. Only what the program names is
 * counted, not the lines that a write fetches first.
 */
final class MemoryRate implements AutoCloseable {
  /** Passes, and how many arrays of each count. */
  enum Form {
    READ(1),
    COPY(2),
    /** An array is read and written. */
    UPDATE(2),
    TRIAD(3);

    private final int arrays;
    private final MethodHandle pass;

    Form(int arrays) {
      this.arrays = arrays;
      this.pass =
          NativeBench.function(
              "memory_" + name().toLowerCase(Locale.ROOT),
              FunctionDescriptor.of(JAVA_FLOAT, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS));
    }
  }

  private static final int PASSES = 8;

  /** 128 MiB of floats. */
  private static final long ELEMENTS = 1L << 25;

  private static final long MULTIPLE = 32;

  private final Arena arena = Arena.ofShared();
  private final ExecutorService executor;
  private final long elements;
  private final List<MemorySegment[]> arrays;

  MemoryRate(int threads) {
    executor = Executors.newFixedThreadPool(threads);
    elements = ELEMENTS / threads / MULTIPLE * MULTIPLE;
    arrays =
        IntStream.range(0, threads)
            .mapToObj(t ->
                new MemorySegment[] {
                  arena.allocate(elements * Float.BYTES, 64),
                  arena.allocate(elements * Float.BYTES, 64),
                  arena.allocate(elements * Float.BYTES, 64)
                })
            .toList();
  }

  /** The best of several passes. */
  double best(Form form) {
    return IntStream.range(0, PASSES).mapToDouble(i -> once(form)).max().orElseThrow();
  }

  /** The best form, each passed once. */
  double now() {
    double best = 0;
    for (Form form : Form.values()) {
      best = Math.max(best, once(form));
    }
    return best;
  }

  private double once(Form form) {
    List<Callable<Float>> tasks = new ArrayList<>();
    for (MemorySegment[] part : arrays) {
      tasks.add(() -> pass(form, part));
    }
    double bytes = (double) form.arrays * elements * arrays.size() * Float.BYTES;
    long start = System.nanoTime();
    if (tasks.size() == 1) {
      pass(form, arrays.getFirst());
      return bytes / (System.nanoTime() - start);
    }
    try {
      for (Future<Float> done : executor.invokeAll(tasks)) {
        done.get();
      }
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
    return bytes / (System.nanoTime() - start);
  }

  private float pass(Form form, MemorySegment[] part) {
    try {
      return (float) form.pass.invoke(elements, part[0], part[1], part[2]);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    executor.close();
    arena.close();
  }
}
