package org.llm4msr.cuda;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import jcuda.driver.JCudaDriver;

/**
 * Looks for the NVIDIA driver before anything of JCuda is touched, whose own failure is a long
 * nested trace.
 */
final class DriverLibrary {
  /** Another library in its place, by its path. */
  private static final String PROPERTY = "llm4msr.cuda.driver";

  private static final String NAME = "libcuda.so.1";

  /** Tensor maps came with CUDA 12.0. */
  private static final int OLDEST = 12000;

  /** These tell that a library is a driver at all, and one that is new enough. */
  private static final List<String> NEEDED =
      List.of("cuDriverGetVersion", "cuLaunchKernel", "cuTensorMapEncodeTiled");

  private static boolean jcudaLoaded;

  private DriverLibrary() {}

  private static String name() {
    return System.getProperty(PROPERTY, NAME);
  }

  /**
   * The driver's functions.
   *
   * @throws IllegalArgumentException if there is no driver
   */
  static SymbolLookup lookup() {
    String name = name();
    return name.indexOf('/') < 0
        ? SymbolLookup.libraryLookup(name, Arena.global())
        : SymbolLookup.libraryLookup(Path.of(name), Arena.global());
  }

  /** Why there is no driver to work with, or null; loads JCuda when there is one. */
  static String missing() throws IOException {
    SymbolLookup library;
    try {
      library = lookup();
    } catch (IllegalArgumentException e) {
      return "no NVIDIA driver (" + name() + " not found)";
    }
    if (library.find(NEEDED.getFirst()).isEmpty()) {
      return name() + " is not an NVIDIA driver";
    }
    int version = Driver.version(library);
    if (version < OLDEST) {
      return "the NVIDIA driver is too old: it is for CUDA "
          + cuda(version)
          + ", needed is one for CUDA "
          + cuda(OLDEST)
          + " or newer";
    }
    for (String function : NEEDED) {
      if (library.find(function).isEmpty()) {
        return "the NVIDIA driver lacks the function " + function;
      }
    }
    loadJcuda();
    return null;
  }

  /** A version of the driver's API in words, such as 12.4. */
  static String cuda(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  /**
   * JCuda unpacks its library into the folder for temporary files under a name that anybody can
   * guess, and takes a file of that name as it finds it: so for this moment the folder is one of
   * our own. The file is deleted at once; it stays mapped.
   */
  private static synchronized void loadJcuda() throws IOException {
    if (jcudaLoaded) {
      return;
    }
    Path folder = Files.createTempDirectory("llm4msr-jcuda");
    String usual = System.getProperty("java.io.tmpdir");
    System.setProperty("java.io.tmpdir", folder.toString());
    try {
      JCudaDriver.setExceptionsEnabled(false);
      jcudaLoaded = true;
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
}
