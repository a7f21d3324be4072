package org.llm4msr.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.llm4msr.runtime.backend.BackendProvider.Availability;

/** The NVIDIA driver of this machine and the GPUs behind it. */
final class CudaDevices {
  /** Context, modules and scratch memory alone take half of it. */
  private static final long LEAST_MEMORY = 1L << 30;

  private static final int PROHIBITED = 2;

  /**
   * A GPU and what there is to say about it.
   *
   * @param capability 10 * major + minor
   * @param driver version as 1000 * major + 10 * minor
   */
  record DeviceInfo(
      CUdevice id, String name, int capability, long memoryBytes, int multiprocessors, int driver) {
    /** One line for people. */
    String description() {
      return name
          + ", compute capability "
          + capability / 10
          + "."
          + capability % 10
          + ", driver for CUDA "
          + DriverLibrary.cuda(driver)
          + ", "
          + multiprocessors
          + " multiprocessors, "
          + megabytes(memoryBytes)
          + " of memory";
    }
  }

  /** What there is, or why not. */
  record Found(List<DeviceInfo> devices, Availability availability) {}

  private static Found found;

  private CudaDevices() {}

  static String megabytes(long bytes) {
    return (bytes >> 20) + " MiB";
  }

  /** What was found, looked up once. */
  static synchronized Found found() {
    if (found == null) {
      found = look();
    }
    return found;
  }

  static Found look() {
    if (!Modules.built()) {
      return none("not built in: there was no nvcc when the kernels were compiled");
    }
    try {
      String missing = DriverLibrary.missing();
      if (missing != null) {
        return none(missing);
      }
      int code = JCudaDriver.cuInit(0);
      if (code == CUresult.CUDA_ERROR_NO_DEVICE) {
        return none("the NVIDIA driver knows no GPU");
      }
      CudaException.check(code, "cuInit");
      return devices();
    } catch (CudaException | IOException | LinkageError e) {
      String message = String.valueOf(e.getMessage());
      return none(
          "the NVIDIA driver does not answer: " + message.lines().findFirst().orElse(message));
    }
  }

  private static Found devices() {
    int[] count = new int[1];
    CudaException.check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount");
    List<DeviceInfo> devices = new ArrayList<>();
    List<String> refused = new ArrayList<>();
    for (int ordinal = 0; ordinal < count[0]; ordinal++) {
      DeviceInfo device = describe(ordinal);
      String reason = unusable(device);
      if (reason == null) {
        devices.add(device);
      } else {
        refused.add(device.name() + ": " + reason);
      }
    }
    if (!devices.isEmpty()) {
      return new Found(
          List.copyOf(devices), new Availability(true, devices.getFirst().description()));
    }
    return none(
        refused.isEmpty()
            ? "the NVIDIA driver knows no GPU"
            : "no NVIDIA GPU can be used: " + String.join("; ", refused));
  }

  private static Found none(String reason) {
    return new Found(List.of(), new Availability(false, reason));
  }

  private static DeviceInfo describe(int ordinal) {
    CUdevice id = new CUdevice();
    CudaException.check(JCudaDriver.cuDeviceGet(id, ordinal), "cuDeviceGet");
    byte[] text = new byte[256];
    CudaException.check(JCudaDriver.cuDeviceGetName(text, text.length, id), "cuDeviceGetName");
    int end = 0;
    while (end < text.length && text[end] != 0) {
      end++;
    }
    long[] memory = new long[1];
    CudaException.check(JCudaDriver.cuDeviceTotalMem(memory, id), "cuDeviceTotalMem");
    int[] driver = new int[1];
    CudaException.check(JCudaDriver.cuDriverGetVersion(driver), "cuDriverGetVersion");
    return new DeviceInfo(
        id,
        new String(text, 0, end, StandardCharsets.UTF_8).strip(),
        10 * attribute(id, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
            + attribute(id, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        memory[0],
        attribute(id, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        driver[0]);
  }

  /** Why the kernels cannot run on a device, or null. */
  private static String unusable(DeviceInfo device) {
    if (attribute(device.id(), CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_MODE) == PROHIBITED) {
      return "its compute mode prohibits it";
    }
    if (device.memoryBytes() < LEAST_MEMORY) {
      return "too little memory, "
          + megabytes(device.memoryBytes())
          + " of at least "
          + megabytes(LEAST_MEMORY);
    }
    return Modules.unusable(device);
  }

  private static int attribute(CUdevice id, int attribute) {
    int[] value = new int[1];
    CudaException.check(
        JCudaDriver.cuDeviceGetAttribute(value, attribute, id), "cuDeviceGetAttribute");
    return value[0];
  }
}
