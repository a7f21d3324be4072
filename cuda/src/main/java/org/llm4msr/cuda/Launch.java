package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import jcuda.driver.CUresult;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;

/**
 * Collects the arguments of one kernel, in their order, and binds it. Those that vary are asked for
 * at every launch.
 */
final class Launch {
  private static final LongSupplier ONE = () -> 1;

  /** More than the longest list of arguments with their addresses, but for structures. */
  private static final long BLOCK_BYTES = 1024;

  private final Context context;
  private final Stream stream;
  private final DeviceMemory memory;
  private final KernelModule module;
  private final String kernel;
  // Lives as long as any part of it can be reached.
  private final SegmentAllocator block;
  private final List<MemorySegment> values = new ArrayList<>();
  private final List<Runnable> varying = new ArrayList<>();

  Launch(
      Context context,
      Stream stream,
      DeviceMemory memory,
      KernelModule module,
      String kernel,
      long structBytes) {
    this.context = context;
    this.stream = stream;
    this.memory = memory;
    this.module = module;
    this.kernel = kernel;
    block =
        SegmentAllocator.slicingAllocator(
            Arena.ofAuto().allocate(BLOCK_BYTES + structBytes, TensorMap.ALIGNMENT));
  }

  private MemorySegment value(long bytes, long alignment) {
    MemorySegment value = block.allocate(bytes, alignment);
    values.add(value);
    return value;
  }

  /** An int. */
  Launch i(long number) {
    value(Integer.BYTES, Integer.BYTES).set(JAVA_INT, 0, Math.toIntExact(number));
    return this;
  }

  /** An int that may change from run to run. */
  Launch i(LongSupplier number) {
    MemorySegment value = value(Integer.BYTES, Integer.BYTES);
    varying.add(() -> value.set(JAVA_INT, 0, Math.toIntExact(number.getAsLong())));
    return this;
  }

  /** A 64-bit number. */
  Launch l(long number) {
    value(Long.BYTES, Long.BYTES).set(JAVA_LONG, 0, number);
    return this;
  }

  /** A 64-bit number that may change from run to run, such as an address of scratch memory. */
  Launch l(LongSupplier number) {
    MemorySegment value = value(Long.BYTES, Long.BYTES);
    varying.add(() -> value.set(JAVA_LONG, 0, number.getAsLong()));
    return this;
  }

  /** A single-precision number. */
  Launch f(double number) {
    value(Float.BYTES, Float.BYTES).set(JAVA_FLOAT, 0, (float) number);
    return this;
  }

  /**
   * A region of device memory.
   *
   * @throws IllegalArgumentException if it is not within one buffer
   */
  Launch region(long address, long byteSize) {
    memory.checkRegion(address, byteSize);
    return l(address);
  }

  /** A structure by value, at a multiple of eight bytes. */
  Launch struct(MemorySegment content) {
    value(content.byteSize(), Long.BYTES).copyFrom(content);
    return this;
  }

  /** An operand's memory for the largest extents, or no memory for null. */
  Launch of(Operand operand) {
    return operand == null
        ? l(0)
        : region(operand.address(), operand.dtype().byteSize(operand.maxElements()));
  }

  /**
   * A tensor map of a BF16 matrix {@code [rows, columns]}. It is made once, and again only when the
   * memory has moved.
   *
   * <p>{@code rows} may be the most that there ever are: those beyond the present ones hold
   * something old, which spoils only results of their own rows, and these are never stored.
   */
  Launch map(LongSupplier address, long rows, long columns, long rowBytes) {
    MemorySegment map = value(TensorMap.BYTES, TensorMap.ALIGNMENT);
    long[] mapped = {0};
    varying.add(() -> {
      long now = address.getAsLong();
      if (mapped[0] != now) {
        memory.checkRegion(now, rows * rowBytes);
        TensorMap.encode(map, now, rows, columns, rowBytes);
        mapped[0] = now;
      }
    });
    return this;
  }

  /** Binds the kernel with so many groups in one row. */
  Kernel bind(int groupSize, int sharedBytes, LongSupplier groups) {
    return bind(groupSize, sharedBytes, groups, ONE);
  }

  /**
   * Binds the kernel.
   *
   * @param sharedBytes of dynamic shared memory for each group
   * @param across groups in a row, and {@code down} rows; no launch if either is 0
   */
  Kernel bind(int groupSize, int sharedBytes, LongSupplier across, LongSupplier down) {
    context.use();
    long function = module.function(kernel, sharedBytes);
    MemorySegment addresses = block.allocate(ADDRESS, Math.max(1, values.size()));
    for (int i = 0; i < values.size(); i++) {
      addresses.setAtIndex(ADDRESS, i, values.get(i));
    }
    Runnable[] setters = varying.toArray(Runnable[]::new);
    return () -> {
      int x = Math.toIntExact(across.getAsLong());
      int y = Math.toIntExact(down.getAsLong());
      if (x == 0 || y == 0) {
        return;
      }
      context.use();
      for (Runnable setter : setters) {
        setter.run();
      }
      int code = Driver.launch(function, x, y, groupSize, sharedBytes, stream.pointer(), addresses);
      if (code != CUresult.CUDA_SUCCESS) {
        CudaException.check(code, "cuLaunchKernel", kernel);
      }
    };
  }
}
