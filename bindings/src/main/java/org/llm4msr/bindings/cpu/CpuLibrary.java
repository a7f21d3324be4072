package org.llm4msr.bindings.cpu;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;

/** Finds and loads the native library, and says in one line why it cannot. */
public final class CpuLibrary {
  /** System property that names a library file to load in place of the built-in one. */
  public static final String PATH_PROPERTY = "llm4msr.native";

  private static final String FILE = "libllm4msr.so";

  // Return codes of the kernels, as in l4m.h.
  private static final int OK = 0;
  private static final int BAD_ARGUMENT = 1;
  static final int OUT_OF_MEMORY = 2;
  private static final int ID_OUT_OF_RANGE = 3;
  private static final int UNSUPPORTED_ISA = 4;
  private static final int NO_THREAD = 5;

  private static final SymbolLookup LOOKUP;
  private static final Availability AVAILABILITY;

  static {
    SymbolLookup lookup = null;
    Availability availability;
    try {
      lookup = load();
      availability = new Availability(true, "loaded");
    } catch (UnavailableException e) {
      availability = new Availability(false, e.getMessage());
    }
    LOOKUP = lookup;
    AVAILABILITY = availability;
  }

  private CpuLibrary() {}

  /**
   * @param explanation one line: why the library cannot be used here
   */
  public record Availability(boolean available, String explanation) {}

  private static final class UnavailableException extends Exception {
    private static final long serialVersionUID = 1;

    UnavailableException(String message) {
      super(message);
    }
  }

  /** Whether the kernels can be called; never throws. */
  public static Availability availability() {
    return AVAILABILITY;
  }

  private static SymbolLookup load() throws UnavailableException {
    String given = System.getProperty(PATH_PROPERTY);
    if (given != null) {
      return open(Path.of(given), "the file named by -D" + PATH_PROPERTY);
    }
    String resource = "/native/" + platform() + "/" + FILE;
    URL url = CpuLibrary.class.getResource(resource);
    if (url == null) {
      throw new UnavailableException(
          "no native kernels for "
              + platform()
              + " were built (a C compiler and make are needed: apt-get install gcc make, then"
              + " build again)");
    }
    try {
      URI uri = url.toURI();
      if (uri.getScheme().equals("file")) {
        return open(Path.of(uri), "the native library");
      }
      Path copy = Files.createTempFile("libllm4msr", ".so");
      try (InputStream in = url.openStream()) {
        Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
        return open(copy, "the native library out of " + uri);
      } finally {
        // Mapped by now; on systems that refuse to delete an open file it goes with the process.
        if (!copy.toFile().delete()) {
          copy.toFile().deleteOnExit();
        }
      }
    } catch (IOException | URISyntaxException e) {
      throw new UnavailableException(
          "the native library could not be copied to "
              + System.getProperty("java.io.tmpdir")
              + ": "
              + e.getMessage());
    }
  }

  private static SymbolLookup open(Path path, String what) throws UnavailableException {
    try {
      return SymbolLookup.libraryLookup(path, Arena.global());
    } catch (IllegalArgumentException e) {
      throw new UnavailableException(what + " cannot be loaded: " + e.getMessage());
    } catch (IllegalCallerException e) {
      throw new UnavailableException(
          what + " may not be loaded: start java with --enable-native-access=ALL-UNNAMED");
    }
  }

  /** Operating system and architecture in the spelling of {@code uname}. */
  private static String platform() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    return (os.startsWith("mac") ? "darwin" : os) + "-" + (arch.equals("amd64") ? "x86_64" : arch);
  }

  /**
   * A handle for {@code int l4m_<name>(…)}.
   *
   * @param parameters one letter each: P pointer, I int32, L int64, F float, D double
   */
  static MethodHandle kernel(String name, String parameters) {
    return function(ValueLayout.JAVA_INT, "l4m_" + name, parameters);
  }

  static MethodHandle function(MemoryLayout result, String symbol, String parameters) {
    if (!AVAILABILITY.available()) {
      throw new IllegalStateException(
          "the native kernels are not available: " + AVAILABILITY.explanation());
    }
    MemorySegment address =
        LOOKUP
            .find(symbol)
            .orElseThrow(() ->
                new IllegalStateException(
                    "the native library lacks " + symbol + ": it belongs to another version"));
    MemoryLayout[] layouts = new MemoryLayout[parameters.length()];
    for (int i = 0; i < layouts.length; i++) {
      layouts[i] =
          switch (parameters.charAt(i)) {
            case 'P' -> ValueLayout.ADDRESS;
            case 'I' -> ValueLayout.JAVA_INT;
            case 'L' -> ValueLayout.JAVA_LONG;
            case 'F' -> ValueLayout.JAVA_FLOAT;
            case 'D' -> ValueLayout.JAVA_DOUBLE;
            default -> throw new IllegalArgumentException("parameters " + parameters);
          };
    }
    FunctionDescriptor descriptor =
        result == null
            ? FunctionDescriptor.ofVoid(layouts)
            : FunctionDescriptor.of(result, layouts);
    return Linker.nativeLinker().downcallHandle(address, descriptor);
  }

  /** Turns a return code into an exception. */
  static void check(int code, String function) {
    if (code != OK) {
      throw failure(code, function);
    }
  }

  private static RuntimeException failure(int code, String function) {
    return switch (code) {
      case BAD_ARGUMENT -> new IllegalArgumentException(function + ": bad argument");
      case ID_OUT_OF_RANGE ->
          new IllegalArgumentException(function + ": an id, row or offset is out of range");
      case OUT_OF_MEMORY -> new IllegalStateException(function + ": out of native memory");
      case UNSUPPORTED_ISA ->
          new IllegalStateException(function + ": this processor lacks the instruction set");
      case NO_THREAD -> new IllegalStateException(function + ": cannot start a thread");
      default -> new IllegalStateException(function + ": unknown return code " + code);
    };
  }

  /** What {@code invokeExact} declares but a downcall never throws. */
  static AssertionError unexpected(Throwable e) {
    if (e instanceof Error error) {
      throw error;
    }
    if (e instanceof RuntimeException exception) {
      throw exception;
    }
    return new AssertionError(e);
  }
}
