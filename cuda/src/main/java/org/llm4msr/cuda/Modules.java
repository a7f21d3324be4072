package org.llm4msr.cuda;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import jcuda.driver.CUresult;
import org.llm4msr.runtime.UserError;

/** The kernels as the build left them: PTX, and binaries for Hopper. */
final class Modules {
  private static final String FOLDER = "cuda/";

  /** The CUDA version whose driver is the first to read the PTX. */
  private static final String TOOLKIT = FOLDER + "toolkit";

  /** compute_80 in cuda.mk. */
  private static final int OLDEST_CAPABILITY = 80;

  private static final int HOPPER = 90;

  private Modules() {}

  /** Whether there was a compiler when this program was built. */
  static boolean built() {
    return resource(TOOLKIT) != null;
  }

  /** Why a device can run neither form of the kernels, or null. */
  static String unusable(CudaDevices.DeviceInfo device) {
    if (device.capability() < OLDEST_CAPABILITY) {
      return "compute capability "
          + device.capability() / 10
          + "."
          + device.capability() % 10
          + ", needed is 8.0 or newer";
    }
    // A binary is worth trying on any driver; PTX is read by those that know its version.
    int needed = toolkit();
    return device.capability() != HOPPER && device.driver() < needed
        ? "driver too old for it: the driver is for CUDA "
            + DriverLibrary.cuda(device.driver())
            + ", needed is one for CUDA "
            + DriverLibrary.cuda(needed)
        : null;
  }

  private static int toolkit() {
    String[] numbers = new String(resource(TOOLKIT), StandardCharsets.UTF_8).strip().split("\\.");
    return 1000 * Integer.parseInt(numbers[0]) + 10 * Integer.parseInt(numbers[1]);
  }

  /**
   * Loads a module into the current context: the binary made for the device, or else PTX, which the
   * driver compiles and keeps in its own cache.
   *
   * @throws UserError if the driver is too old for both
   */
  static KernelModule load(String name, CudaDevices.DeviceInfo device) {
    List<byte[]> images = images(name, device);
    if (images.isEmpty()) {
      throw new IllegalArgumentException("no kernels '" + name + "' were built for " + device);
    }
    List<CudaException> refusals = new ArrayList<>();
    KernelModule module = firstTaken(name, images, refusals);
    if (module != null) {
      return module;
    }
    throw new UserError(
        "the driver for CUDA "
            + DriverLibrary.cuda(device.driver())
            + " refuses the kernels that CUDA "
            + DriverLibrary.cuda(toolkit())
            + " compiled ("
            + refusals.getLast().getMessage()
            + "); install a newer driver, or build this program with an older CUDA");
  }

  /** Loads a module that only some devices have, or gives null. */
  static KernelModule loadIfTaken(String name, CudaDevices.DeviceInfo device) {
    return firstTaken(name, images(name, device), new ArrayList<>());
  }

  private static KernelModule firstTaken(
      String name, List<byte[]> images, List<CudaException> refusals) {
    for (byte[] image : images) {
      try {
        return KernelModule.load(name, image);
      } catch (CudaException e) {
        if (!isRefusal(e.code())) {
          throw e;
        }
        refusals.add(e);
      }
    }
    return null;
  }

  /** What may be loaded, the best first. */
  private static List<byte[]> images(String name, CudaDevices.DeviceInfo device) {
    byte[] cubin = device.capability() == HOPPER ? resource(FOLDER + name + ".sm_90a.cubin") : null;
    byte[] ptx = resource(FOLDER + name + ".ptx");
    // The driver reads PTX up to a zero.
    byte[] text = ptx == null ? null : Arrays.copyOf(ptx, ptx.length + 1);
    return Stream.of(cubin, text).filter(Objects::nonNull).toList();
  }

  /** What a driver says to code that it is too old for. */
  private static boolean isRefusal(int code) {
    return code == CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU
        || code == CUresult.CUDA_ERROR_INVALID_IMAGE
        || code == CUresult.CUDA_ERROR_INVALID_PTX
        || code == CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  }

  private static byte[] resource(String name) {
    try (InputStream in = Modules.class.getClassLoader().getResourceAsStream(name)) {
      return in == null ? null : in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
