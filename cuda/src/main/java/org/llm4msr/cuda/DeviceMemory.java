package org.llm4msr.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.memory.AllocationTracker;
import org.llm4msr.runtime.memory.Buffer;

/**
 * A device's memory. The driver takes long and waits for the device to allocate and to free: blocks
 * that were given back are kept for the next of about their size. That is safe while kernels run,
 * as everything goes through one stream.
 */
final class DeviceMemory implements AutoCloseable {
  /** The driver's own grain, below and from {@link #LARGE} bytes on. */
  private static final long GRAIN = 512;

  private static final long LARGE_GRAIN = 2L << 20;
  private static final long LARGE = 1L << 20;

  /** A kept block serves if no more than this part of it would lie idle. */
  private static final int MOST_IDLE = 8;

  private final Context context;
  private final Stream stream;
  private final TreeMap<Long, DeviceBuffer> buffers = new TreeMap<>();
  private final TreeMap<Long, Deque<Block>> kept = new TreeMap<>();
  private long usedBytes;
  private long keptBytes;

  private static final class Raw extends CUdeviceptr {
    long pointer() {
      return getNativePointer();
    }
  }

  /** Memory of the driver's; size as asked for there. */
  private record Block(Raw raw, long size) {
    long address() {
      return raw.pointer();
    }
  }

  DeviceMemory(Context context, Stream stream) {
    this.context = context;
    this.stream = stream;
  }

  /** Bytes that are kept for buffers to come. */
  long keptBytes() {
    return keptBytes;
  }

  /**
   * Allocates zeroed memory.
   *
   * @throws UserError if the device has too little, with need and free
   */
  Buffer allocate(long byteSize, String label) {
    context.use();
    Block block = block(rounded(byteSize), label);
    try {
      CudaException.check(
          Driver.fillZero(block.address(), block.size(), stream.pointer()), "cuMemsetD8Async");
    } catch (CudaException e) {
      keep(block);
      throw e;
    }
    DeviceBuffer buffer = new DeviceBuffer(block, byteSize, label);
    buffers.put(block.address(), buffer);
    usedBytes += block.size();
    return buffer;
  }

  private static long rounded(long byteSize) {
    long grain = byteSize < LARGE ? GRAIN : LARGE_GRAIN;
    return Math.multiplyExact(Math.max(1, Math.ceilDiv(byteSize, grain)), grain);
  }

  private Block block(long size, String label) {
    Map.Entry<Long, Deque<Block>> entry = kept.ceilingEntry(size);
    if (entry != null && entry.getKey() - size <= size / MOST_IDLE) {
      Block block = entry.getValue().pop();
      if (entry.getValue().isEmpty()) {
        kept.remove(entry.getKey());
      }
      keptBytes -= block.size();
      return block;
    }
    Raw raw = new Raw();
    int code = JCudaDriver.cuMemAlloc(raw, size);
    if (code == CUresult.CUDA_ERROR_OUT_OF_MEMORY && keptBytes > 0) {
      releaseKept();
      code = JCudaDriver.cuMemAlloc(raw, size);
    }
    if (code == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      throw outOfMemory(size, label);
    }
    CudaException.check(code, "cuMemAlloc", size + " bytes for " + label);
    return new Block(raw, size);
  }

  private UserError outOfMemory(long size, String label) {
    long[] free = new long[1];
    long[] total = new long[1];
    CudaException.check(JCudaDriver.cuMemGetInfo(free, total), "cuMemGetInfo");
    return new UserError(
        label
            + " needs "
            + CudaDevices.megabytes(size)
            + " in one piece on "
            + context.device().name()
            + ", of whose "
            + CudaDevices.megabytes(total[0])
            + " "
            + CudaDevices.megabytes(free[0])
            + " are free; this process uses "
            + CudaDevices.megabytes(usedBytes));
  }

  private void keep(Block block) {
    kept.computeIfAbsent(block.size(), size -> new ArrayDeque<>()).push(block);
    keptBytes += block.size();
  }

  /** Gives everything that is kept back to the driver. */
  private void releaseKept() {
    // Nothing may still be on its way to what others are about to have.
    int failed = either(context.useToClose(), Driver.synchronizeStream(stream.pointer()));
    for (Deque<Block> blocks : kept.values()) {
      for (Block block : blocks) {
        failed = either(failed, JCudaDriver.cuMemFree(block.raw()));
      }
    }
    kept.clear();
    keptBytes = 0;
    if (!CudaException.isLost(failed)) {
      CudaException.check(failed, "cuMemFree");
    }
  }

  private static int either(int first, int second) {
    return first != CUresult.CUDA_SUCCESS ? first : second;
  }

  /**
   * Checks that a region is within one open buffer.
   *
   * @throws IllegalArgumentException if it is not
   */
  void checkRegion(long address, long byteSize) {
    Map.Entry<Long, DeviceBuffer> entry = buffers.floorEntry(address);
    if (entry == null || address - entry.getKey() > entry.getValue().byteSize - byteSize) {
      throw new IllegalArgumentException(
          byteSize + " bytes at " + address + " are not in one buffer of this device");
    }
  }

  /**
   * The address of a region of a buffer.
   *
   * @throws IllegalArgumentException if the buffer is closed or of another backend
   * @throws IndexOutOfBoundsException if it does not hold the region
   */
  long address(Buffer buffer, long byteOffset, long bytes) {
    if (!(buffer instanceof DeviceBuffer own) || buffers.get(own.address()) != own) {
      throw new IllegalArgumentException("the buffer is closed, or of another backend");
    }
    if (byteOffset < 0 || bytes < 0 || byteOffset > own.byteSize - bytes) {
      throw new IndexOutOfBoundsException(
          bytes + " bytes at " + byteOffset + " of a buffer of " + own.byteSize);
    }
    return own.address() + byteOffset;
  }

  /** Frees what is kept; buffers are closed by their owners before. */
  @Override
  public void close() {
    releaseKept();
  }

  /** A block with one owner. */
  private final class DeviceBuffer implements Buffer {
    private final Block block;
    private final long byteSize;
    private final AllocationTracker.Entry entry;

    private DeviceBuffer(Block block, long byteSize, String label) {
      this.block = block;
      this.byteSize = byteSize;
      this.entry = AllocationTracker.opened(label, byteSize);
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
      return block.address();
    }

    @Override
    public void close() {
      if (buffers.remove(block.address(), this)) {
        usedBytes -= block.size();
        keep(block);
        AllocationTracker.closed(entry);
      }
    }
  }
}
