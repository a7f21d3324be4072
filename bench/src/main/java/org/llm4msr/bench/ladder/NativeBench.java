package org.llm4msr.bench.ladder;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import org.llm4msr.runtime.UserError;

/** The library that benchmarks alone need, out of {@code bench/src/main/c}. */
public final class NativeBench {
  /** Set where the working directory is another than the repository's. */
  private static final Path FILE =
      Path.of(System.getProperty("llm4msr.bench.native", "bench/target/native/libbench.so"));

  private static final SymbolLookup SYMBOLS = open();

  private NativeBench() {}

  private static SymbolLookup open() {
    if (!Files.exists(FILE)) {
      throw new UserError(
          FILE.toAbsolutePath()
              + " is missing: bench/run.sh builds it where gcc is there, on x86-64");
    }
    return SymbolLookup.libraryLookup(FILE.toAbsolutePath(), Arena.global());
  }

  /**
   * @throws UserError if the library was not built
   */
  public static MethodHandle function(String name, FunctionDescriptor type) {
    return Linker.nativeLinker().downcallHandle(SYMBOLS.findOrThrow(name), type);
  }
}
