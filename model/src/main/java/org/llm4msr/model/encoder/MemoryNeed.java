package org.llm4msr.model.encoder;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.llm4msr.runtime.Tensor;
import org.llm4msr.runtime.UserError;
import org.llm4msr.runtime.plan.ParameterStore;

/**
 * What an encoder needs, and what there is.
 *
 * @param weightBytes memory-mapped from the model's files where the device can
 * @param workspaceBytes everything between the layers, for batches of the usual size
 * @param freeBytes memory that this process may use
 */
public record MemoryNeed(long weightBytes, long workspaceBytes, long freeBytes) {
  /** System property that says how many bytes are free, in place of asking the system. */
  public static final String FREE_PROPERTY = "llm4msr.freeMemory";

  private static final Path MEMINFO = Path.of("/proc/meminfo");
  private static final Path CGROUP = Path.of("/sys/fs/cgroup");

  /**
   * What a model's weights take in the end. Packed in 8 bits, layers' matrices take a byte a
   * number; packed in blocks, their panels, beside what was quantised on load.
   */
  static long weightBytes(ParameterStore weights, Quantisation quantise) {
    Quantisation.Products products = Quantisation.products(quantise);
    return weights.names().stream()
        .mapToLong(name -> {
          Tensor tensor = weights.get(name);
          return switch (products) {
            case FLOATS -> tensor.byteSize();
            case INT8 ->
                Parameters.isLayerMatrix(name, tensor)
                    ? tensor.shape().elements()
                    : tensor.byteSize();
            case BLOCKS -> {
              boolean packed = Quantisation.inBlocks(name, tensor);
              boolean kept = !packed || quantise.stored() != null;
              yield (kept ? tensor.byteSize() : 0) + (packed ? Quantisation.blockBytes(tensor) : 0);
            }
          };
        })
        .sum();
  }

  /**
   * @throws UserError if it does not fit
   */
  void require(Path model) {
    if (weightBytes + workspaceBytes > freeBytes) {
      throw new UserError(
          model
              + ": needs "
              + this
              + "; use a smaller model or fewer tokens per batch, or free memory");
    }
  }

  /** For people. */
  @Override
  public String toString() {
    return megabytes(weightBytes + workspaceBytes)
        + " of memory (weights "
        + megabytes(weightBytes)
        + ", workspace "
        + megabytes(workspaceBytes)
        + "), "
        + megabytes(freeBytes)
        + " are free";
  }

  private static String megabytes(long bytes) {
    return bytes >= 10_000_000_000L
        ? String.format(Locale.ROOT, "%.1f GB", bytes / 1e9)
        : String.format(Locale.ROOT, "%.0f MB", bytes / 1e6);
  }

  /**
   * Bytes that could be used now: what the kernel says is available, less if a control group allows
   * less. Where neither is known, no limit.
   */
  static long free() {
    Long given = Long.getLong(FREE_PROPERTY);
    if (given != null) {
      return given;
    }
    long free = Long.MAX_VALUE;
    for (String line : lines(MEMINFO)) {
      if (line.startsWith("MemAvailable:")) {
        free = 1024 * number(line.replaceAll("[^0-9]", ""), free / 1024);
      }
    }
    long limit = number(first(CGROUP.resolve("memory.max")), Long.MAX_VALUE);
    if (limit < Long.MAX_VALUE) {
      long used = number(first(CGROUP.resolve("memory.current")), 0);
      for (String line : lines(CGROUP.resolve("memory.stat"))) {
        // Pages of files that can be dropped.
        if (line.startsWith("inactive_file ") || line.startsWith("active_file ")) {
          used -= number(line.substring(line.indexOf(' ') + 1), 0);
        }
      }
      free = Math.min(free, Math.max(0, limit - used));
    }
    return free;
  }

  private static String first(Path file) {
    return lines(file).stream().findFirst().orElse("");
  }

  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file);
    } catch (IOException e) {
      // Another system, or no control group: nothing is known.
      return List.of();
    }
  }

  private static long number(String text, long otherwise) {
    try {
      return Long.parseLong(text.strip());
    } catch (NumberFormatException e) {
      return otherwise;
    }
  }
}
