package org.llm4msr.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/**
 * The driver's functions that every run calls, or that JCuda lacks, straight from its library.
 * Handles and device addresses are 64-bit numbers. Every method returns the driver's code. Only to
 * be touched when {@link DriverLibrary} has found the library.
 */
final class Driver {
  private static final SymbolLookup LIBRARY = DriverLibrary.lookup();

  private static final MethodHandle CTX_SET_CURRENT = handle("cuCtxSetCurrent", JAVA_LONG);
  private static final MethodHandle LAUNCH_KERNEL =
      handle(
          "cuLaunchKernel",
          JAVA_LONG,
          JAVA_INT,
          JAVA_INT,
          JAVA_INT,
          JAVA_INT,
          JAVA_INT,
          JAVA_INT,
          JAVA_INT,
          JAVA_LONG,
          ADDRESS,
          ADDRESS);
  private static final MethodHandle GRAPH_LAUNCH = handle("cuGraphLaunch", JAVA_LONG, JAVA_LONG);
  private static final MethodHandle STREAM_SYNCHRONIZE = handle("cuStreamSynchronize", JAVA_LONG);
  private static final MethodHandle EVENT_RECORD = handle("cuEventRecord", JAVA_LONG, JAVA_LONG);
  private static final MethodHandle EVENT_SYNCHRONIZE = handle("cuEventSynchronize", JAVA_LONG);
  private static final MethodHandle COPY_TO_DEVICE =
      handle("cuMemcpyHtoDAsync_v2", JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle COPY_TO_HOST =
      handle("cuMemcpyDtoHAsync_v2", ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle FILL =
      handle("cuMemsetD8Async", JAVA_LONG, JAVA_BYTE, JAVA_LONG, JAVA_LONG);
  private static final MethodHandle TENSOR_MAP_ENCODE_TILED =
      handle(
          "cuTensorMapEncodeTiled",
          ADDRESS,
          JAVA_INT,
          JAVA_INT,
          JAVA_LONG,
          ADDRESS,
          ADDRESS,
          ADDRESS,
          ADDRESS,
          JAVA_INT,
          JAVA_INT,
          JAVA_INT,
          JAVA_INT);

  private Driver() {}

  /** JCuda shares the library: it finds the one that is loaded already under its name. */
  private static MethodHandle handle(String name, MemoryLayout... arguments) {
    MemorySegment symbol =
        LIBRARY
            .find(name)
            .orElseThrow(() -> new IllegalStateException("the driver has no function " + name));
    return Linker.nativeLinker().downcallHandle(symbol, FunctionDescriptor.of(JAVA_INT, arguments));
  }

  /** The driver's version as 1000 * major + 10 * minor of CUDA; 0 if it does not say. */
  static int version(SymbolLookup library) {
    MethodHandle get =
        Linker.nativeLinker()
            .downcallHandle(
                library.findOrThrow("cuDriverGetVersion"),
                FunctionDescriptor.of(JAVA_INT, ADDRESS));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment version = arena.allocate(JAVA_INT);
      int code = (int) get.invokeExact(version);
      return code == 0 ? version.get(JAVA_INT, 0) : 0;
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static int setCurrent(long context) {
    try {
      return (int) CTX_SET_CURRENT.invokeExact(context);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /**
   * @param across groups in a row, and {@code down} rows
   * @param sharedBytes of dynamic shared memory for each group
   * @param arguments [n], the addresses of the kernel's arguments
   */
  static int launch(
      long function,
      int across,
      int down,
      int groupSize,
      int sharedBytes,
      long stream,
      MemorySegment arguments) {
    try {
      return (int)
          LAUNCH_KERNEL.invokeExact(
              function,
              across,
              down,
              1,
              groupSize,
              1,
              1,
              sharedBytes,
              stream,
              arguments,
              MemorySegment.NULL);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static int launchGraph(long graph, long stream) {
    try {
      return (int) GRAPH_LAUNCH.invokeExact(graph, stream);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static int synchronizeStream(long stream) {
    try {
      return (int) STREAM_SYNCHRONIZE.invokeExact(stream);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static int recordEvent(long event, long stream) {
    try {
      return (int) EVENT_RECORD.invokeExact(event, stream);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static int synchronizeEvent(long event) {
    try {
      return (int) EVENT_SYNCHRONIZE.invokeExact(event);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /**
   * @param host pinned memory that stays as it is until the copy has run
   */
  static int copyToDevice(long device, MemorySegment host, long stream) {
    long bytes = host.byteSize();
    try {
      return (int) COPY_TO_DEVICE.invokeExact(device, host, bytes, stream);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /**
   * @param host pinned memory
   */
  static int copyToHost(MemorySegment host, long device, long stream) {
    long bytes = host.byteSize();
    try {
      return (int) COPY_TO_HOST.invokeExact(host, device, bytes, stream);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  static int fillZero(long device, long bytes, long stream) {
    try {
      return (int) FILL.invokeExact(device, (byte) 0, bytes, stream);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  /** See {@link TensorMap}. */
  static int encodeTiled(
      MemorySegment map,
      int type,
      int rank,
      long address,
      MemorySegment extents,
      MemorySegment strides,
      MemorySegment box,
      MemorySegment steps,
      int interleave,
      int swizzle,
      int promotion,
      int fill) {
    try {
      return (int)
          TENSOR_MAP_ENCODE_TILED.invokeExact(
              map,
              type,
              rank,
              address,
              extents,
              strides,
              box,
              steps,
              interleave,
              swizzle,
              promotion,
              fill);
    } catch (Throwable e) {
      throw unexpected(e);
    }
  }

  private static RuntimeException unexpected(Throwable e) {
    if (e instanceof Error error) {
      throw error;
    }
    return e instanceof RuntimeException known ? known : new IllegalStateException(e);
  }
}
