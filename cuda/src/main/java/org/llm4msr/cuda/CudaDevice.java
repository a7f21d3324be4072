package org.llm4msr.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.portable.Device;
import org.llm4msr.runtime.backend.portable.Faults;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.op.Op;

/** Runs the portable kernels on one GPU, and those that only CUDA has where they fit. */
final class CudaDevice implements Device, AutoCloseable {
  private final Context context;
  private final Stream stream;
  private final DeviceMemory memory;
  private final KernelModule kernels;
  private final Buffer faultBuffer;
  private final PinnedMemory faultOnHost;
  private final List<Growing> scratches = new ArrayList<>();
  private final Faults faults = new Faults();
  private final CudaKernels own;
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
    own = new CudaKernels(this, context.device());
  }

  /** The products are those of GPUs. */
  @Override
  public boolean isCpu() {
    return false;
  }

  @Override
  public Argument fault() {
    return new Argument.Region(faultAddress(), Faults.BYTES);
  }

  long faultAddress() {
    return faultBuffer.address();
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
    Launch launch = launch(kernels, kernel);
    for (Argument argument : arguments) {
      switch (argument) {
        case Argument.Region(long address, long byteSize) -> launch.region(address, byteSize);
        case Argument.Shared(Scratch scratch) -> launch.l(address(scratch));
        case Argument.Int(LongSupplier number) -> launch.i(number);
        case Argument.Long(LongSupplier number) -> launch.l(number);
        case Argument.Float(float number) -> launch.f(number);
      }
    }
    return launch.bind(groupSize, 0, groups);
  }

  /** A launch of a module's kernel, whose arguments are to be added. */
  Launch launch(KernelModule module, String kernel) {
    return launch(module, kernel, 0);
  }

  /** A launch with an argument of so many bytes. */
  Launch launch(KernelModule module, String kernel, long structBytes) {
    return new Launch(context, stream, memory, module, kernel, structBytes);
  }

  /**
   * Checks an operand whose address a kernel gets otherwise than as an argument.
   *
   * @throws IllegalArgumentException if it is not within one buffer
   */
  void requireMemory(Operand operand) {
    memory.checkRegion(operand.address(), operand.dtype().byteSize(operand.maxElements()));
  }

  /** Where scratch memory lies now. */
  LongSupplier address(Scratch scratch) {
    Growing growing = (Growing) scratch;
    return () -> growing.buffer.address();
  }

  @Override
  public Kernel own(Op op, List<Operand> in, List<Operand> out) {
    return own.bind(op, in, out);
  }

  @Override
  public void close() {
    own.close();
    scratches.forEach(scratch -> scratch.buffer.close());
    faultOnHost.close();
    faultBuffer.close();
  }
}
