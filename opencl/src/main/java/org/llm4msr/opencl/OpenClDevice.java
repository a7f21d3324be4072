package org.llm4msr.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.Sizeof;
import org.jocl.cl_kernel;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.portable.Device;
import org.llm4msr.runtime.backend.portable.Faults;
import org.llm4msr.runtime.memory.Buffer;

/** Runs the portable kernels on one OpenCL device. */
final class OpenClDevice implements Device, AutoCloseable {
  private final Queue queue;
  private final DeviceMemory memory;
  private final Program program;
  private final boolean isCpu;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment faultOnHost = arena.allocate(Faults.BYTES, Integer.BYTES);
  private final Buffer faultBuffer;
  private final Argument fault;
  private final List<Buffer> scratchBuffers = new ArrayList<>();
  private final List<Growing> scratches = new ArrayList<>();
  private final Faults faults = new Faults();

  /**
   * @param isCpu which products it takes
   */
  OpenClDevice(Queue queue, DeviceMemory memory, Program program, boolean isCpu) {
    this.isCpu = isCpu;
    this.queue = queue;
    this.memory = memory;
    this.program = program;
    faultBuffer = memory.allocate(Faults.BYTES, "faults of the opencl backend");
    fault = new Argument.Region(faultBuffer.address(), Faults.BYTES);
  }

  @Override
  public boolean isCpu() {
    return isCpu;
  }

  @Override
  public Argument fault() {
    return fault;
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
    queue.read(memory.own(faultBuffer).handle(), 0, faultOnHost);
    IllegalArgumentException noted = faults.noted(faultOnHost);
    if (noted != null) {
      faultOnHost.fill((byte) 0);
      queue.write(faultOnHost, memory.own(faultBuffer).handle(), 0);
      throw noted;
    }
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
    private Pointer pointer;

    Growing(int number) {
      label = "scratch memory " + number + " of the opencl backend";
      grow(Faults.BYTES);
    }

    @Override
    public void require(long byteSize) {
      if (byteSize > buffer.byteSize()) {
        grow(byteSize);
      }
    }

    private void grow(long byteSize) {
      Buffer larger = memory.allocate(byteSize, label);
      if (buffer != null) {
        // Kernels in flight keep what they use.
        buffer.close();
        scratchBuffers.remove(buffer);
      }
      scratchBuffers.add(larger);
      buffer = larger;
      pointer = Pointer.to(memory.own(larger).handle());
    }
  }

  @Override
  public Kernel bind(String kernel, int groupSize, List<Argument> arguments, LongSupplier groups) {
    cl_kernel handle = program.kernel(kernel);
    Setter[] setters = new Setter[arguments.size()];
    for (int i = 0; i < setters.length; i++) {
      setters[i] = setter(handle, i, arguments.get(i));
    }
    long[] global = new long[1];
    long[] local = {groupSize};
    return () -> {
      long count = groups.getAsLong();
      if (count == 0) {
        return;
      }
      for (Setter setter : setters) {
        int code = setter.set();
        if (code != CL.CL_SUCCESS) {
          throw new OpenClException(code, "clSetKernelArg of " + kernel, "");
        }
      }
      global[0] = Math.multiplyExact(count, (long) groupSize);
      int code =
          CL.clEnqueueNDRangeKernel(queue.handle(), handle, 1, null, global, local, 0, null, null);
      if (code != CL.CL_SUCCESS) {
        throw new OpenClException(code, "clEnqueueNDRangeKernel of " + kernel, "");
      }
    };
  }

  /** Sets one argument before a launch; returns OpenCL's code. */
  @FunctionalInterface
  private interface Setter {
    int set();
  }

  private Setter setter(cl_kernel kernel, int index, Argument argument) {
    return switch (argument) {
      case Argument.Region(long address, long byteSize) -> {
        Pointer pointer = Pointer.to(memory.region(address, byteSize));
        yield () -> CL.clSetKernelArg(kernel, index, Sizeof.cl_mem, pointer);
      }
      case Argument.Shared(Scratch scratch) -> {
        Growing growing = (Growing) scratch;
        yield () -> CL.clSetKernelArg(kernel, index, Sizeof.cl_mem, growing.pointer);
      }
      case Argument.Int(LongSupplier value) -> {
        int[] box = new int[1];
        Pointer pointer = Pointer.to(box);
        yield () -> {
          box[0] = Math.toIntExact(value.getAsLong());
          return CL.clSetKernelArg(kernel, index, Sizeof.cl_int, pointer);
        };
      }
      case Argument.Long(LongSupplier value) -> {
        long[] box = new long[1];
        Pointer pointer = Pointer.to(box);
        yield () -> {
          box[0] = value.getAsLong();
          return CL.clSetKernelArg(kernel, index, Sizeof.cl_long, pointer);
        };
      }
      case Argument.Float(float value) -> {
        Pointer pointer = Pointer.to(new float[] {value});
        yield () -> CL.clSetKernelArg(kernel, index, Sizeof.cl_float, pointer);
      }
    };
  }

  @Override
  public void close() {
    scratchBuffers.forEach(Buffer::close);
    faultBuffer.close();
    arena.close();
  }
}
