package org.llm4msr.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.KernelSequence;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.portable.PortableOperators;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.Op;

/** The operator set on one GPU, in F32. */
final class CudaBackend implements Backend {
  static final String NAME = "cuda";

  /** What cuMemAlloc aligns to, so that rows of whole vectors stay aligned. */
  private static final int ALIGNMENT = 256;

  // How to close what was opened, the last first.
  private final Deque<Runnable> closing = new ArrayDeque<>();
  private final Context context;
  private final Stream stream;
  private final DeviceMemory memory;
  private final Transfers transfers;
  private final CudaDevice device;

  CudaBackend(CudaDevices.DeviceInfo info) {
    try {
      context = open(Context.of(info), Context::close);
      stream = open(Stream.create(), Stream::close);
      KernelModule kernels = open(Modules.load("portable", info), KernelModule::close);
      memory = open(new DeviceMemory(context, stream), DeviceMemory::close);
      transfers = open(new Transfers(stream), Transfers::close);
      device = open(new CudaDevice(context, stream, memory, kernels), CudaDevice::close);
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private <T> T open(T part, Consumer<T> close) {
    closing.push(() -> close.accept(part));
    return part;
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    return context.device().description();
  }

  @Override
  public boolean computesIn(DType dtype) {
    return dtype == DType.F32;
  }

  @Override
  public boolean sharesHostMemory() {
    return false;
  }

  @Override
  public int alignment() {
    return ALIGNMENT;
  }

  @Override
  public void finish() {
    device.finish();
  }

  @Override
  public Buffer allocate(long byteSize, String label) {
    return memory.allocate(byteSize, label);
  }

  /** The allocator, whose figures tests read. */
  DeviceMemory memory() {
    return memory;
  }

  @Override
  public void upload(MemorySegment host, Buffer buffer, long byteOffset) {
    long address = memory.address(buffer, byteOffset, host.byteSize());
    context.use();
    transfers.upload(host, address);
  }

  @Override
  public void download(Buffer buffer, long byteOffset, MemorySegment host) {
    long address = memory.address(buffer, byteOffset, host.byteSize());
    context.use();
    transfers.download(address, host);
  }

  @Override
  public Kernel kernel(Op op, List<Operand> in, List<Operand> out) {
    return PortableOperators.bind(NAME, device, op, in, out);
  }

  @Override
  public boolean fuses(FusedOp op, List<ValueType> inputs) {
    return CudaKernels.fuses(op, inputs);
  }

  /** A training step, or a batch of always the same size, is issued in one call. */
  @Override
  public KernelSequence sequence(List<Kernel> kernels, long[] extents) {
    return new CapturedKernels(context, stream, device, kernels, extents);
  }

  @Override
  public void close() {
    if (closing.isEmpty()) {
      return;
    }
    context.useToClose();
    RuntimeException first = null;
    while (!closing.isEmpty()) {
      try {
        closing.pop().run();
      } catch (RuntimeException e) {
        first = first == null ? e : first;
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
