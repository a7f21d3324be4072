package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import jcuda.driver.CUresult;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.portable.Device;
import org.llm4msr.runtime.backend.portable.Faults;
import org.llm4msr.runtime.memory.Buffer;

/** Runs the portable kernels on one GPU. */
final class CudaDevice implements Device, AutoCloseable {
  private final Context context;
  private final Stream stream;
  private final DeviceMemory memory;
  private final KernelModule kernels;
  private final Buffer faultBuffer;
  private final PinnedMemory faultOnHost;
  private final List<Growing> scratches = new ArrayList<>();
  private final Faults faults = new Faults();
  private int scratchGeneration;

  CudaDevice(Context context, Stream stream, DeviceMemory memory, KernelModule kernels) {
    this.context = context;
    this.stream = stream;
    this.memory = memory;
    this.kernels = kernels;
    faultBuffer = memory.allocate(Faults.BYTES, "faults of the cuda backend");
    try {
      faultOnHost = PinnedMemory.allocate(Faults.BYTES);
    } catch (RuntimeException e) {
      faultBuffer.close();
      throw e;
    }
  }

  /** The products are those of GPUs. */
  @Override
  public boolean isCpu() {
    return false;
  }

  @Override
  public Argument fault() {
    return new Argument.Region(faultBuffer.address(), Faults.BYTES);
  }

  @Override
  public int faults(String operator, String first, String second) {
    return faults.register(operator, first, second);
  }

  /**
   * Waits for all kernels.
   *
   * @throws IllegalArgumentException if one of them met an index out of range
   */
  void finish() {
    context.use();
    CudaException.check(
        Driver.copyToHost(faultOnHost.segment(), faultBuffer.address(), stream.pointer()),
        "cuMemcpyDtoHAsync");
    stream.synchronize();
    IllegalArgumentException noted = faults.noted(faultOnHost.segment());
    if (noted != null) {
      CudaException.check(
          Driver.fillZero(faultBuffer.address(), Faults.BYTES, stream.pointer()),
          "cuMemsetD8Async");
      throw noted;
    }
  }

  /** Changes whenever scratch memory moves: what was recorded before points to the old place. */
  int scratchGeneration() {
    return scratchGeneration;
  }

  @Override
  public Scratch scratch(int number) {
    while (scratches.size() <= number) {
      scratches.add(new Growing(scratches.size()));
    }
    return scratches.get(number);
  }

  private final class Growing implements Scratch {
    private final String label;
    private Buffer buffer;

    Growing(int number) {
      label = "scratch memory " + number + " of the cuda backend";
      buffer = memory.allocate(Faults.BYTES, label);
    }

    @Override
    public void require(long byteSize) {
      if (byteSize > buffer.byteSize()) {
        Buffer larger = memory.allocate(byteSize, label);
        buffer.close();
        buffer = larger;
        scratchGeneration++;
      }
    }
  }

  @Override
  public Kernel bind(String kernel, int groupSize, List<Argument> arguments, LongSupplier groups) {
    context.use();
    long function = kernels.function(kernel);
    // The addresses of the arguments, then the arguments, 8 bytes each.
    MemorySegment block = Arena.ofAuto().allocate(16L * arguments.size(), Long.BYTES);
    List<Runnable> varying = new ArrayList<>();
    for (int i = 0; i < arguments.size(); i++) {
      MemorySegment value = block.asSlice(8L * (arguments.size() + i), 8);
      block.setAtIndex(ADDRESS, i, value);
      set(arguments.get(i), value, varying);
    }
    Runnable[] setters = varying.toArray(Runnable[]::new);
    return () -> {
      long count = groups.getAsLong();
      if (count == 0) {
        return;
      }
      context.use();
      for (Runnable setter : setters) {
        setter.run();
      }
      int code =
          Driver.launch(function, Math.toIntExact(count), groupSize, stream.pointer(), block);
      if (code != CUresult.CUDA_SUCCESS) {
        CudaException.check(code, "cuLaunchKernel", kernel);
      }
    };
  }

  /** Sets an argument that stays, or adds what sets it before each launch. */
  private void set(Argument argument, MemorySegment value, List<Runnable> varying) {
    switch (argument) {
      case Argument.Region(long address, long byteSize) -> {
        memory.checkRegion(address, byteSize);
        value.set(JAVA_LONG, 0, address);
      }
      case Argument.Shared(Scratch scratch) -> {
        Growing growing = (Growing) scratch;
        varying.add(() -> value.set(JAVA_LONG, 0, growing.buffer.address()));
      }
      case Argument.Int(LongSupplier number) ->
          varying.add(() -> value.set(JAVA_INT, 0, Math.toIntExact(number.getAsLong())));
      case Argument.Long(LongSupplier number) ->
          varying.add(() -> value.set(JAVA_LONG, 0, number.getAsLong()));
      case Argument.Float(float number) -> value.set(JAVA_FLOAT, 0, number);
    }
  }

  @Override
  public void close() {
    scratches.forEach(scratch -> scratch.buffer.close());
    faultOnHost.close();
    faultBuffer.close();
  }
}
