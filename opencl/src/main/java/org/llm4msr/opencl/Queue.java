package org.llm4msr.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_command_queue;
import org.jocl.cl_context;
import org.jocl.cl_context_properties;
import org.jocl.cl_device_id;
import org.jocl.cl_mem;

/** A context with one queue, in which commands run in the order they are issued. */
final class Queue implements AutoCloseable {
  /** Direct buffers, by which JOCL takes host memory, hold less than 2 GiB. */
  private static final long LARGEST_COPY = 1L << 30;

  private final OpenCl.DeviceInfo device;
  private final cl_context context;
  private final cl_command_queue queue;
  private boolean open = true;

  Queue(OpenCl.DeviceInfo device) {
    this.device = device;
    cl_context_properties properties = new cl_context_properties();
    properties.addProperty(CL.CL_CONTEXT_PLATFORM, device.platform());
    int[] code = new int[1];
    cl_device_id[] devices = {device.id()};
    context = CL.clCreateContext(properties, 1, devices, null, null, code);
    OpenClException.check(code[0], "clCreateContext");
    // The 1.2 call: that of 2.0 is not everywhere.
    @SuppressWarnings("deprecation")
    cl_command_queue created = CL.clCreateCommandQueue(context, device.id(), 0, code);
    if (code[0] != CL.CL_SUCCESS) {
      CL.clReleaseContext(context);
      throw new OpenClException(code[0], "clCreateCommandQueue", "");
    }
    queue = created;
  }

  OpenCl.DeviceInfo device() {
    return device;
  }

  cl_context context() {
    return context;
  }

  cl_command_queue handle() {
    return queue;
  }

  /** Copies host memory into a buffer; the caller has checked the bounds. */
  void write(MemorySegment host, cl_mem memory, long byteOffset) {
    forEachPart(
        host,
        (part, at) ->
            CL.clEnqueueWriteBuffer(
                queue,
                memory,
                true,
                byteOffset + at,
                part.byteSize(),
                pointer(part),
                0,
                null,
                null),
        "clEnqueueWriteBuffer",
        true);
  }

  /** Copies from a buffer into host memory; everything issued before has finished then. */
  void read(cl_mem memory, long byteOffset, MemorySegment host) {
    forEachPart(
        host,
        (part, at) ->
            CL.clEnqueueReadBuffer(
                queue,
                memory,
                true,
                byteOffset + at,
                part.byteSize(),
                pointer(part),
                0,
                null,
                null),
        "clEnqueueReadBuffer",
        false);
  }

  @FunctionalInterface
  private interface Copy {
    int of(MemorySegment part, long at);
  }

  private static Pointer pointer(MemorySegment part) {
    return Pointer.to(part.asByteBuffer());
  }

  private static void forEachPart(MemorySegment host, Copy copy, String call, boolean write) {
    for (long at = 0; at < host.byteSize(); at += LARGEST_COPY) {
      MemorySegment part = host.asSlice(at, Math.min(LARGEST_COPY, host.byteSize() - at));
      if (part.isNative()) {
        OpenClException.check(copy.of(part, at), call);
        continue;
      }
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment outside = arena.allocate(part.byteSize());
        if (write) {
          outside.copyFrom(part);
        }
        OpenClException.check(copy.of(outside, at), call);
        if (!write) {
          part.copyFrom(outside);
        }
      }
    }
  }

  void fillZero(cl_mem memory, long byteSize) {
    OpenClException.check(
        CL.clEnqueueFillBuffer(
            queue, memory, Pointer.to(new byte[1]), 1, 0, byteSize, 0, null, null),
        "clEnqueueFillBuffer");
  }

  @Override
  public void close() {
    if (open) {
      open = false;
      CL.clFinish(queue);
      CL.clReleaseCommandQueue(queue);
      CL.clReleaseContext(context);
    }
  }
}
