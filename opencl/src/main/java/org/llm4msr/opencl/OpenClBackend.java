package org.llm4msr.opencl;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.llm4msr.runtime.DType;
import org.llm4msr.runtime.backend.Backend;
import org.llm4msr.runtime.backend.Kernel;
import org.llm4msr.runtime.backend.Operand;
import org.llm4msr.runtime.backend.portable.PortableOperators;
import org.llm4msr.runtime.graph.ValueType;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.memory.Buffer;
import org.llm4msr.runtime.op.FusedOp;
import org.llm4msr.runtime.op.Op;

/** The operator set on one OpenCL device, in F32. */
final class OpenClBackend implements Backend {
  static final String NAME = "opencl";

  private final Queue queue;
  private final DeviceMemory memory;
  private final Program program;
  private final OpenClDevice device;
  private final AllocationTracker.Entry entry;
  private boolean open = true;

  OpenClBackend(OpenCl.DeviceInfo info) {
    this(info, info.isCpu());
  }

  /**
   * @param isCpu which products it takes: tests run those of GPUs on a CPU
   */
  OpenClBackend(OpenCl.DeviceInfo info, boolean isCpu) {
    queue = new Queue(info);
    memory = new DeviceMemory(queue);
    Program built = null;
    try {
      program = built = Program.build(queue, BinaryCache.ofUser());
      device = new OpenClDevice(queue, memory, program, isCpu);
    } catch (RuntimeException | Error e) {
      if (built != null) {
        built.close();
      }
      queue.close();
      throw e;
    }
    entry = AllocationTracker.opened("context of the opencl backend", 0);
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    return queue.device().description();
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
    return queue.device().alignment();
  }

  @Override
  public void finish() {
    device.finish();
  }

  @Override
  public Buffer allocate(long byteSize, String label) {
    return memory.allocate(byteSize, label);
  }

  @Override
  public void upload(MemorySegment host, Buffer buffer, long byteOffset) {
    DeviceMemory.DeviceBuffer own = memory.own(buffer);
    own.checkBounds(byteOffset, host.byteSize());
    queue.write(host, own.handle(), byteOffset);
  }

  @Override
  public void download(Buffer buffer, long byteOffset, MemorySegment host) {
    DeviceMemory.DeviceBuffer own = memory.own(buffer);
    own.checkBounds(byteOffset, host.byteSize());
    queue.read(own.handle(), byteOffset, host);
  }

  @Override
  public Kernel kernel(Op op, List<Operand> in, List<Operand> out) {
    return PortableOperators.bind(NAME, device, op, in, out);
  }

  @Override
  public boolean fuses(FusedOp op, List<ValueType> inputs) {
    return PortableOperators.fuses(op);
  }

  @Override
  public void close() {
    if (open) {
      open = false;
      device.close();
      program.close();
      queue.close();
      AllocationTracker.closed(entry);
    }
  }
}
