package org.llm4msr.opencl;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jocl.CL;
import org.jocl.cl_buffer_region;
import org.jocl.cl_mem;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.memory.Buffer;

/**
 * A device's memory. OpenCL 1.2 has handles instead of addresses: each buffer gets a range of
 * numbers that serve as addresses, by which an operand is found again and checked against its
 * buffer's bounds.
 */
final class DeviceMemory {
  /** Between two buffers, so that an address one past the end of one belongs to no other. */
  private static final long GAP = 1L << 20;

  /** A buffer cannot be empty. */
  private static final long SMALLEST = 16;

  private final Queue queue;
  private final TreeMap<Long, DeviceBuffer> buffers = new TreeMap<>();
  private long nextAddress = GAP;
  private long usedBytes;

  DeviceMemory(Queue queue) {
    this.queue = queue;
  }

  /**
   * Allocates zeroed memory.
   *
   * @throws UserError if the device has too little, with need and free
   */
  Buffer allocate(long byteSize, String label) {
    OpenCl.DeviceInfo device = queue.device();
    long actual = Math.max(SMALLEST, byteSize);
    if (actual > device.largestBuffer()) {
      throw new UserError(
          label
              + " needs "
              + OpenCl.megabytes(actual)
              + " in one piece, more than the "
              + OpenCl.megabytes(device.largestBuffer())
              + " that "
              + device.name()
              + " gives");
    }
    int[] code = new int[1];
    cl_mem handle = CL.clCreateBuffer(queue.context(), CL.CL_MEM_READ_WRITE, actual, null, code);
    if (code[0] == CL.CL_SUCCESS) {
      try {
        // Here at the latest the device needs to have the memory.
        queue.fillZero(handle, actual);
      } catch (OpenClException e) {
        CL.clReleaseMemObject(handle);
        code[0] = e.code();
      }
    }
    if (code[0] == CL.CL_MEM_OBJECT_ALLOCATION_FAILURE
        || code[0] == CL.CL_OUT_OF_RESOURCES
        || code[0] == CL.CL_OUT_OF_HOST_MEMORY) {
      throw new UserError(
          label
              + " needs "
              + OpenCl.megabytes(actual)
              + " on "
              + device.name()
              + ", which has "
              + OpenCl.megabytes(device.memoryBytes())
              + " of which this process uses "
              + OpenCl.megabytes(usedBytes)
              + " ("
              + CL.stringFor_errorCode(code[0])
              + ")");
    }
    OpenClException.check(code[0], "clCreateBuffer of " + actual + " bytes for " + label);
    DeviceBuffer buffer = new DeviceBuffer(handle, nextAddress, byteSize, label);
    buffers.put(nextAddress, buffer);
    nextAddress += (actual + GAP) / GAP * GAP + GAP;
    usedBytes += byteSize;
    return buffer;
  }

  /**
   * A handle for a region.
   *
   * @throws IllegalArgumentException if it is not within one open buffer, or begins where the
   *     device cannot begin
   */
  cl_mem region(long address, long byteSize) {
    Map.Entry<Long, DeviceBuffer> entry = buffers.floorEntry(address);
    if (entry == null || address - entry.getKey() > entry.getValue().byteSize - byteSize) {
      throw new IllegalArgumentException(
          byteSize + " bytes at " + address + " are not in one buffer of this device");
    }
    return entry.getValue().region(address - entry.getKey(), byteSize);
  }

  /** The whole buffer that is open and of this device. */
  DeviceBuffer own(Buffer buffer) {
    if (buffer instanceof DeviceBuffer own && buffers.get(own.address) == own) {
      return own;
    }
    throw new IllegalArgumentException("the buffer is closed, or of another backend");
  }

  /** Memory with one owner, and the handles of its regions. */
  final class DeviceBuffer implements Buffer {
    private final cl_mem handle;
    private final long address;
    private final long byteSize;
    private final AllocationTracker.Entry entry;
    private final Map<Region, cl_mem> regions = new HashMap<>();

    private record Region(long offset, long byteSize) {}

    private DeviceBuffer(cl_mem handle, long address, long byteSize, String label) {
      this.handle = handle;
      this.address = address;
      this.byteSize = byteSize;
      this.entry = AllocationTracker.opened(label, byteSize);
    }

    cl_mem handle() {
      return handle;
    }

    void checkBounds(long byteOffset, long bytes) {
      if (byteOffset < 0 || bytes < 0 || byteOffset > byteSize - bytes) {
        throw new IndexOutOfBoundsException(
            bytes + " bytes at " + byteOffset + " of a buffer of " + byteSize);
      }
    }

    private cl_mem region(long offset, long bytes) {
      if (offset == 0 || bytes == 0) {
        return handle;
      }
      int alignment = queue.device().alignment();
      if (offset % alignment != 0) {
        throw new IllegalArgumentException(
            "a value begins at byte " + offset + ", which is no multiple of " + alignment);
      }
      return regions.computeIfAbsent(
          new Region(offset, bytes),
          region -> {
            int[] code = new int[1];
            cl_mem part =
                CL.clCreateSubBuffer(
                    handle,
                    CL.CL_MEM_READ_WRITE,
                    CL.CL_BUFFER_CREATE_TYPE_REGION,
                    new cl_buffer_region(offset, bytes),
                    code);
            OpenClException.check(code[0], "clCreateSubBuffer");
            return part;
          });
    }

    @Override
    public long byteSize() {
      return byteSize;
    }

    @Override
    public MemorySegment segment() {
      throw new UnsupportedOperationException("the host cannot address this device's memory");
    }

    @Override
    public long address() {
      return address;
    }

    @Override
    public void close() {
      if (buffers.remove(address, this)) {
        regions.values().forEach(CL::clReleaseMemObject);
        regions.clear();
        CL.clReleaseMemObject(handle);
        usedBytes -= byteSize;
        AllocationTracker.closed(entry);
      }
    }
  }
}
