package org.llm4msr.opencl;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_device_id;
import org.jocl.cl_kernel;
import org.jocl.cl_program;

/** All kernels, built for one device: from the cache of binaries, or else from source. */
final class Program implements AutoCloseable {
  private static final Pattern INCLUDE = Pattern.compile("#include \"(.+)\"");

  /** In this order they are one source, as OpenCL has no include path of its own. */
  static final List<String> PORTABLE =
      INCLUDE
          .matcher(source(List.of("portable/all.kk")))
          .results()
          .map(include -> "portable/" + include.group(1))
          .toList();

  private static final List<String> OPENCL_ONLY = List.of("opencl/matmul_cpu.cl");

  private static final String OPTIONS = "-cl-std=CL1.2";

  private final cl_program program;
  private final Map<String, cl_kernel> kernels = new HashMap<>();

  private Program(cl_program program) {
    this.program = program;
  }

  /**
   * Builds the kernels, or takes the binary of an earlier build.
   *
   * @throws OpenClException if they do not build, with what the compiler says
   */
  static Program build(Queue queue, BinaryCache cache) {
    String source = source(PORTABLE) + source(OPENCL_ONLY);
    OpenCl.DeviceInfo device = queue.device();
    String key = BinaryCache.key(device.name(), device.version(), device.driver(), OPTIONS, source);
    cl_device_id[] devices = {device.id()};
    byte[] binary = cache.load(key);
    if (binary != null) {
      cl_program cached = fromBinary(queue, devices, binary);
      if (cached != null) {
        return new Program(cached);
      }
    }
    int[] code = new int[1];
    cl_program program =
        CL.clCreateProgramWithSource(queue.context(), 1, new String[] {source}, null, code);
    OpenClException.check(code[0], "clCreateProgramWithSource");
    int built = CL.clBuildProgram(program, 1, devices, OPTIONS, null, null);
    if (built != CL.CL_SUCCESS) {
      String log = buildLog(program, device.id());
      CL.clReleaseProgram(program);
      throw new OpenClException(built, "clBuildProgram", log);
    }
    cache.store(key, binary(program));
    return new Program(program);
  }

  static String source(List<String> names) {
    StringBuilder source = new StringBuilder();
    for (String name : names) {
      try (InputStream in = Program.class.getClassLoader().getResourceAsStream(name)) {
        if (in == null) {
          throw new IllegalStateException(
              "the kernel source " + name + " is not on the class path");
        }
        source.append(new String(in.readAllBytes(), StandardCharsets.UTF_8)).append('\n');
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return source.toString();
  }

  /** Null if the driver does not take it. */
  private static cl_program fromBinary(Queue queue, cl_device_id[] devices, byte[] binary) {
    int[] status = new int[1];
    int[] code = new int[1];
    cl_program program =
        CL.clCreateProgramWithBinary(
            queue.context(),
            1,
            devices,
            new long[] {binary.length},
            new byte[][] {binary},
            status,
            code);
    if (code[0] != CL.CL_SUCCESS) {
      return null;
    }
    if (status[0] != CL.CL_SUCCESS
        || CL.clBuildProgram(program, 1, devices, OPTIONS, null, null) != CL.CL_SUCCESS) {
      CL.clReleaseProgram(program);
      return null;
    }
    return program;
  }

  private static byte[] binary(cl_program program) {
    long[] size = new long[1];
    OpenClException.check(
        CL.clGetProgramInfo(
            program, CL.CL_PROGRAM_BINARY_SIZES, Long.BYTES, Pointer.to(size), null),
        "clGetProgramInfo");
    byte[] binary = new byte[Math.toIntExact(size[0])];
    OpenClException.check(
        CL.clGetProgramInfo(
            program,
            CL.CL_PROGRAM_BINARIES,
            Long.BYTES,
            Pointer.to(new Pointer[] {Pointer.to(binary)}),
            null),
        "clGetProgramInfo");
    return binary;
  }

  private static String buildLog(cl_program program, cl_device_id device) {
    long[] size = new long[1];
    CL.clGetProgramBuildInfo(program, device, CL.CL_PROGRAM_BUILD_LOG, 0, null, size);
    byte[] log = new byte[(int) Math.min(size[0], 1 << 16)];
    if (log.length == 0) {
      return "the compiler says nothing";
    }
    CL.clGetProgramBuildInfo(
        program, device, CL.CL_PROGRAM_BUILD_LOG, log.length, Pointer.to(log), null);
    return new String(log, StandardCharsets.UTF_8).strip();
  }

  /**
   * @throws IllegalArgumentException if there is no kernel of that name
   */
  cl_kernel kernel(String name) {
    return kernels.computeIfAbsent(
        name,
        n -> {
          int[] code = new int[1];
          cl_kernel kernel = CL.clCreateKernel(program, n, code);
          if (code[0] == CL.CL_INVALID_KERNEL_NAME) {
            throw new IllegalArgumentException("there is no kernel '" + n + "'");
          }
          OpenClException.check(code[0], "clCreateKernel of " + n);
          return kernel;
        });
  }

  @Override
  public void close() {
    kernels.values().forEach(CL::clReleaseKernel);
    kernels.clear();
    CL.clReleaseProgram(program);
  }
}
