package org.llm4msr.opencl;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;
import org.llm4msr.runtime.backend.BackendProvider.Availability;

/** The OpenCL loader of this machine and the devices behind it. */
final class OpenCl {
  private static final String LOADER = "libOpenCL.so.1";

  /** A device and what there is to say about it. */
  record DeviceInfo(
      cl_platform_id platform,
      cl_device_id id,
      String name,
      String version,
      String driver,
      boolean isCpu,
      long memoryBytes,
      long largestBuffer,
      int alignment,
      int units) {
    /** One line for people. */
    String description() {
      return name
          + ", "
          + version
          + ", driver "
          + driver
          + ", "
          + units
          + (units == 1 ? " unit, " : " units, ")
          + megabytes(memoryBytes)
          + " of memory";
    }
  }

  /** What was found, looked up once. */
  private record Found(List<DeviceInfo> devices, Availability availability) {}

  private static Found found;

  private OpenCl() {}

  static String megabytes(long bytes) {
    return (bytes >> 20) + " MiB";
  }

  static Availability availability() {
    return found().availability();
  }

  /** All usable devices, in the order in which the platforms list them. */
  static List<DeviceInfo> devices() {
    return found().devices();
  }

  private static synchronized Found found() {
    if (found == null) {
      found = look();
    }
    return found;
  }

  private static Found look() {
    // Looked for before JOCL is touched: its own failure is a long nested trace.
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup.libraryLookup(LOADER, arena);
    } catch (IllegalArgumentException e) {
      return none(
          "there is no OpenCL loader ("
              + LOADER
              + "); install your device's driver, or for the CPU: apt-get install"
              + " ocl-icd-libopencl1 pocl-opencl-icd");
    }
    try {
      loadJocl();
      List<DeviceInfo> devices = new ArrayList<>();
      List<String> refused = new ArrayList<>();
      for (cl_platform_id platform : platforms()) {
        for (cl_device_id id : devices(platform)) {
          DeviceInfo device = describe(platform, id);
          String reason = unusable(id);
          if (reason == null) {
            devices.add(device);
          } else {
            refused.add(device.name() + ": " + reason);
          }
        }
      }
      if (!devices.isEmpty()) {
        return new Found(
            List.copyOf(devices), new Availability(true, devices.getFirst().description()));
      }
      return none(
          refused.isEmpty()
              ? "the OpenCL loader knows no device; install your device's driver, or for the CPU:"
                  + " apt-get install pocl-opencl-icd"
              : "no OpenCL device can be used: " + String.join("; ", refused));
    } catch (OpenClException | IOException | LinkageError e) {
      return none("OpenCL does not answer: " + firstLine(e));
    }
  }

  private static Found none(String reason) {
    return new Found(List.of(), new Availability(false, reason));
  }

  private static String firstLine(Throwable e) {
    String message = String.valueOf(e.getMessage());
    int end = message.indexOf('\n');
    return end < 0 ? message : message.substring(0, end);
  }

  /**
   * JOCL unpacks its library into the folder for temporary files under a name that anybody can
   * guess, and takes a file of that name as it finds it: so for this moment the folder is one of
   * our own. The file is deleted at once; it stays mapped.
   */
  private static void loadJocl() throws IOException {
    Path folder = Files.createTempDirectory("llm4msr-jocl");
    String usual = System.getProperty("java.io.tmpdir");
    System.setProperty("java.io.tmpdir", folder.toString());
    try {
      CL.setExceptionsEnabled(false);
    } finally {
      System.setProperty("java.io.tmpdir", usual);
      try (Stream<Path> files = Files.list(folder)) {
        for (Path file : files.toList()) {
          Files.deleteIfExists(file);
        }
      }
      Files.deleteIfExists(folder);
    }
  }

  private static cl_platform_id[] platforms() {
    int[] count = new int[1];
    int code = CL.clGetPlatformIDs(0, null, count);
    // The loader's answer when it knows none.
    if (code == -1001 || count[0] == 0) {
      return new cl_platform_id[0];
    }
    OpenClException.check(code, "clGetPlatformIDs");
    cl_platform_id[] platforms = new cl_platform_id[count[0]];
    OpenClException.check(CL.clGetPlatformIDs(count[0], platforms, null), "clGetPlatformIDs");
    return platforms;
  }

  private static cl_device_id[] devices(cl_platform_id platform) {
    int[] count = new int[1];
    int code = CL.clGetDeviceIDs(platform, CL.CL_DEVICE_TYPE_ALL, 0, null, count);
    if (code == CL.CL_DEVICE_NOT_FOUND || count[0] == 0) {
      return new cl_device_id[0];
    }
    OpenClException.check(code, "clGetDeviceIDs");
    cl_device_id[] devices = new cl_device_id[count[0]];
    OpenClException.check(
        CL.clGetDeviceIDs(platform, CL.CL_DEVICE_TYPE_ALL, devices.length, devices, null),
        "clGetDeviceIDs");
    return devices;
  }

  private static DeviceInfo describe(cl_platform_id platform, cl_device_id id) {
    boolean isCpu = (number(id, CL.CL_DEVICE_TYPE) & CL.CL_DEVICE_TYPE_CPU) != 0;
    return new DeviceInfo(
        platform,
        id,
        text(id, CL.CL_DEVICE_NAME),
        text(id, CL.CL_DEVICE_VERSION),
        text(id, CL.CL_DRIVER_VERSION),
        isCpu,
        number(id, CL.CL_DEVICE_GLOBAL_MEM_SIZE),
        number(id, CL.CL_DEVICE_MAX_MEM_ALLOC_SIZE),
        (int) Math.max(64, (number(id, CL.CL_DEVICE_MEM_BASE_ADDR_ALIGN) & 0xffffffffL) / 8),
        (int) number(id, CL.CL_DEVICE_MAX_COMPUTE_UNITS));
  }

  /** Why the kernels cannot run on a device, or null. */
  private static String unusable(cl_device_id id) {
    if (number(id, CL.CL_DEVICE_AVAILABLE) == 0) {
      return "it is not available";
    }
    if (number(id, CL.CL_DEVICE_COMPILER_AVAILABLE) == 0) {
      return "it has no compiler";
    }
    if (number(id, CL.CL_DEVICE_ENDIAN_LITTLE) == 0) {
      return "it is not little-endian";
    }
    if (!text(id, CL.CL_DEVICE_PROFILE).equals("FULL_PROFILE")) {
      return "it has the embedded profile, and 64-bit numbers are needed";
    }
    return number(id, CL.CL_DEVICE_LOCAL_MEM_SIZE) < 16 << 10
        ? "its groups share less than 16 KiB"
        : null;
  }

  /** A property of one, four or eight bytes. */
  private static long number(cl_device_id id, int property) {
    long[] value = new long[1];
    OpenClException.check(
        CL.clGetDeviceInfo(id, property, Long.BYTES, Pointer.to(value), null), "clGetDeviceInfo");
    return value[0];
  }

  private static String text(cl_device_id id, int property) {
    long[] size = new long[1];
    OpenClException.check(CL.clGetDeviceInfo(id, property, 0, null, size), "clGetDeviceInfo");
    byte[] text = new byte[(int) Math.min(size[0], 4096)];
    OpenClException.check(
        CL.clGetDeviceInfo(id, property, text.length, Pointer.to(text), null), "clGetDeviceInfo");
    int end = 0;
    while (end < text.length && text[end] != 0) {
      end++;
    }
    return new String(text, 0, end, java.nio.charset.StandardCharsets.UTF_8).strip();
  }
}
